"""The options of every command that makes a run."""

from __future__ import annotations

from typing import Annotated

import typer

ConcurrencyOption = Annotated[
    str | None, typer.Option("--concurrency", metavar="auto|N", help="Requests in flight.")
]
MaxRateOption = Annotated[
    str | None, typer.Option("--max-rate", metavar="N/s", help="Requests a second, at most.")
]
BwlimitOption = Annotated[
    str | None, typer.Option("--bwlimit", metavar="RATE", help="Bytes a second, at most: 10M.")
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=0, help="Send N contents, at most.")
]
StageLimitOption = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=0, help="So many contents, at most.")
]
WorkersOption = Annotated[
    str | None,
    typer.Option("--workers", metavar="auto|N", help="Processes that decode; auto: the cores."),
]
MaxDurationOption = Annotated[
    str | None,
    typer.Option("--max-duration", metavar="TIME", help="Start nothing after that: 10m."),
]
MaxErrorsOption = Annotated[
    int | None,
    typer.Option("--max-errors", metavar="N", min=1, help="Stop after N failed attempts."),
]
PatienceOption = Annotated[
    str | None,
    typer.Option("--patience", metavar="TIME", help="Wait so long for items to fall due."),
]
MetricsFileOption = Annotated[
    str | None,
    typer.Option("--metrics-file", metavar="FILE", help="Keep FILE up to date for Prometheus."),
]
JsonOption = Annotated[bool | None, typer.Option("--json", help="Events as JSON lines on stdout.")]

"""The options of every command that starts a run."""

from __future__ import annotations

from typing import Annotated

import typer

ConcurrencyOption = Annotated[
    str | None, typer.Option("--concurrency", metavar="auto|N", help="Requests in flight at once.")
]
MaxRateOption = Annotated[
    str | None, typer.Option("--max-rate", metavar="N/s", help="Limit on requests per second.")
]
BwlimitOption = Annotated[
    str | None,
    typer.Option("--bwlimit", metavar="RATE", help="Limit on bytes per second, for example 10M."),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=0, help="Stop after N unique files.")
]
StageLimitOption = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=0, help="Stop after N unique files.")
]
WorkersOption = Annotated[
    str | None,
    typer.Option(
        "--workers", metavar="auto|N", help="Processes that decode pictures; auto: one per core."
    ),
]
MaxDurationOption = Annotated[
    str | None,
    typer.Option("--max-duration", metavar="TIME", help="Stop after this time, for example 10m."),
]
MaxErrorsOption = Annotated[
    int | None,
    typer.Option("--max-errors", metavar="N", min=1, help="Stop after N failed attempts."),
]
PatienceOption = Annotated[
    str | None,
    typer.Option(
        "--patience", metavar="TIME", help="At the end, wait this long for files to retry."
    ),
]
MetricsFileOption = Annotated[
    str | None,
    typer.Option("--metrics-file", metavar="FILE", help="Keep metrics for Prometheus in FILE."),
]
JsonOption = Annotated[
    bool | None, typer.Option("--json", help="Print events to stdout as JSON lines.")
]

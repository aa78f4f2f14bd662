"""bulkup status: counts by stage and state, and which files failed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkup.cli.shared_options import Flags, only_one
from bulkup.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from bulkup.manifest.reader import Reader
    from bulkup.manifest.reports.status import FailureRow
    from bulkup.settings.table import Settings

EXAMPLE = "Example: bulkup status --failed --json"

WATCH_SECONDS = 2.0

_TITLES: Mapping[str, str] = {
    "ready": "Remaining",
    "claimed": "In progress",
    "waiting": "Will retry",
    "done": "Done",
    "skipped": "Skipped",
    "dead": "Failed",
}


FailedOption = Annotated[
    bool,
    typer.Option(
        "--failed", help="List failed files and why; exit 3 if any. With --verbose, each attempt."
    ),
]


def run(
    flags: Flags,
    failed: FailedOption = False,
    accepted: Annotated[
        bool, typer.Option("--accepted", help="List the failures that bulkup accept marked.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON (schema 1).")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV with a header line.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat every two seconds.")] = False,
    metrics_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Also write metrics for Prometheus to FILE.")
    ] = None,
) -> None:
    """Show counts by stage and state, failures and active runs."""
    only_one(json=json, csv=csv)
    only_one(failed=failed, accepted=accepted)
    from bulkup.manifest.reader import Reader

    settings = flags.settings(metrics_file=metrics_file)
    while True:
        if metrics_file is not None:  # only by the flag: the setting is for runs
            _write_metrics(settings)
        with Reader(settings.manifest) as reader:
            if watch and sys.stdout.isatty():
                typer.echo("\x1b[H\x1b[2J", nl=False)
            found = False
            if accepted:
                _show_failed(reader, settings, json=json, csv=csv, accepted=True)
            elif failed:
                found = _show_failed(reader, settings, json=json, csv=csv)
            else:
                _show(reader, settings.run.stale_after_seconds, json=json, csv=csv)
        if not watch:
            break
        sys.stdout.flush()
        time.sleep(WATCH_SECONDS)
    if found:
        raise typer.Exit(ExitCode.UNFINISHED)


def _write_metrics(settings: Settings) -> None:
    from bulkup.reporting.atomic_file import check_writable
    from bulkup.reporting.metrics_file import is_metrics, write

    path = settings.metrics_file
    assert path is not None
    check_writable(path, named="--metrics-file", is_ours=is_metrics)
    try:
        write(
            path,
            settings.manifest,
            now=time.time(),
            stale_after_seconds=settings.run.stale_after_seconds,
        )
    except OSError as error:
        raise UsageError(f"--metrics-file {path}: {error.strerror}") from error


# Failures ---------------------------------------------------------------------------------------


def _show_failed(
    reader: Reader, settings: Settings, *, json: bool, csv: bool, accepted: bool = False
) -> bool:
    from bulkup.cli.output.rows import print_csv, print_json
    from bulkup.manifest.reports.status import FailureRow

    if settings.verbose and not csv and not accepted:
        return _show_histories(reader, settings, json=json)
    rows = reader.reports.failures(accepted=accepted)
    if json:
        return print_json(row._asdict() for row in rows) > 0
    if csv:
        return print_csv(FailureRow._fields, rows) > 0
    found = list(rows)
    if found:
        _print_failures(found, accepted=accepted)
    elif not settings.quiet:
        print("No failure is accepted." if accepted else "Nothing has failed.")
    return bool(found)


def _print_failures(rows: Sequence[FailureRow], *, accepted: bool) -> None:
    """Grouped by cause on a terminal, else one line a file."""
    from bulkup.cli.output.table import Column, print_table
    from bulkup.cli.output.text import escape, is_screen

    if is_screen(sys.stdout, os.environ):
        from shutil import get_terminal_size

        from bulkup.cli.output.failures import failure_lines

        width = get_terminal_size().columns
        for line in failure_lines(rows, time.time(), width, accepted=accepted):
            print(line)
        return
    titles = ("File", "Stage", "State", "Class", "Attempts", "Next attempt", "Error")
    cells = (
        (
            row.path,
            row.stage,
            _TITLES[row.state].lower(),
            row.error_class,
            row.attempts,
            row.next_attempt_at,
            row.error,
        )
        for row in rows
    )
    print_table(
        [Column(title, right=title == "Attempts") for title in titles],
        [[escape(str(cell or "")) for cell in row] for row in cells],
        sys.stdout,
        os.environ,
    )


def _show_histories(reader: Reader, settings: Settings, *, json: bool) -> bool:
    """Print the failures with each attempt: when, how long, why, and the server's request id."""
    from bulkup.cli.output.rows import print_json

    found = reader.attempts.failures()
    if json:
        documents = (
            {**failure._asdict(), "history": [attempt._asdict() for attempt in attempts]}
            for failure, attempts in found
        )
        return print_json(documents) > 0
    from bulkup.cli.output.text import count, duration, escape, printable

    lines: list[str] = []
    for failure, attempts in found:
        due = f", next {failure.next_attempt_at}" if failure.next_attempt_at else ""
        tried = count(failure.attempts, "attempt")
        lines.append(
            f"{failure.path}: {failure.stage} {_TITLES[failure.state].lower()} after {tried}{due}"
        )
        if not attempts:
            lines.append(f"  {failure.error_class}: {failure.error}")
        for one in attempts:
            asked = f" (request {one.request_id})" if one.request_id else ""
            why = f"{one.error_class}: {one.error}{asked}" if one.error_class else one.outcome
            lines.append(f"  {one.number}  {one.ended_at}  {duration(one.seconds)}  {why}")
    nothing = [] if settings.quiet else ["Nothing has failed."]
    for line in lines or nothing:
        print(printable(escape(line), sys.stdout))
    return bool(lines)


# Counts -----------------------------------------------------------------------------------------


def _show(reader: Reader, stale_after_seconds: float, *, json: bool, csv: bool) -> None:
    from bulkup.operations.status import status_document

    document = status_document(reader, stale_after_seconds, now=time.time())
    if json:
        from json import dumps

        print(dumps(document, indent=1))
    elif csv:
        from bulkup.cli.output.rows import print_csv

        print_csv(*_csv_of(document))
    else:
        _print_status(document, reader)


def _csv_of(document: dict[str, object]) -> tuple[tuple[str, ...], Iterator[tuple[object, ...]]]:
    stages = document["stages"]
    assert isinstance(stages, dict)
    columns = ("stage", *next(iter(stages.values())))
    return columns, ((name, *found.values()) for name, found in stages.items())


def _print_status(document: dict[str, object], reader: Reader) -> None:
    from bulkup.cli.output.nothing import nothing_pushed
    from bulkup.cli.output.text import count, escape, print_folded, size

    assets, stages = document["assets"], document["stages"]
    failures, runs = document["failures"], document["runs"]
    destinations = document["destinations"]
    assert isinstance(assets, dict)
    assert isinstance(stages, dict)
    assert isinstance(failures, dict)
    assert isinstance(runs, list)
    assert isinstance(destinations, list)
    say = typer.echo
    if not assets["total"] and not any(one["objects"] for one in destinations):
        print_folded(nothing_pushed(reader), sys.stdout)
        return
    say(
        f"{count(assets['total'], 'file')}, {size(assets['bytes'])}: "
        f"{count(assets['unique'])} unique, {count(assets['duplicates'], 'duplicate')}"
        + (f", {count(assets['missing'])} deleted locally" if assets["missing"] else "")
    )
    urls = [destination["url"] for destination in destinations]
    for destination in destinations:
        where = destination["url"]
        if urls.count(where) > 1:
            where += f" at {destination.get('endpoint', 'Amazon S3')}"
        say(
            f"{escape(where)}: {count(destination['objects'], 'object')}, "
            f"{size(destination['bytes'])}"
        )
    _print_stages(stages)
    reasons = [f"{count(n)} {name}" for name, n in failures.items() if n]
    if reasons:
        say(f"\nFailed: {', '.join(reasons)} (bulkup status --failed lists them)")
    if document["accepted"]:
        say(f"\nAccepted failures: {document['accepted']:,} (bulkup status --accepted)")
    has_open = any(found["ready"] or found["claimed"] for found in stages.values())
    _print_runs(runs, reader, has_open=has_open)


def _print_runs(runs: Sequence[Mapping[str, Any]], reader: Reader, *, has_open: bool) -> None:
    """The runs that have not ended; with none at work, how the last one ended."""
    from bulkup.cli.output.last_run import last_run_lines
    from bulkup.cli.output.text import print_lines

    for run in runs:
        state = "is running" if run["alive"] else "was killed; the next run takes over its work"
        typer.echo(f"{run['command']} {state} (pid {run['pid']} on {run['host']})")
    last = next(iter(reader.reports.history(1)), None)
    if last is not None and not any(run["alive"] for run in runs):
        typer.echo("")
        print_lines(last_run_lines(last, time.time(), has_open=has_open), sys.stdout)


def _print_stages(stages: Mapping[str, Mapping[str, Any]]) -> None:
    """A table of the stages that have items."""
    from bulkup.cli.output.table import Column, print_table
    from bulkup.cli.output.text import count, size
    from bulkup.model import State

    used = {name: found for name, found in stages.items() if any(found[s] for s in State)}
    if not used:
        return
    columns = [Column("Stage"), *(Column(_TITLES[state], right=True) for state in State)]
    columns += [Column("Bytes done", right=True, drop=1), Column("p95", right=True, drop=2)]
    rows = [
        [
            name,
            *(count(found[state]) for state in State),
            size(found["bytes_done"]),
            "" if found["p95_ms"] is None else f"{found['p95_ms']:.0f} ms",
        ]
        for name, found in used.items()
    ]
    typer.echo("")
    print_table(columns, rows, sys.stdout, os.environ)

"""bulkup verify: the manifest compared with what the destinations really hold."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkup.cli.shared_options import Flags
from bulkup.errors import BulkupError, ExitCode

if TYPE_CHECKING:
    from bulkup.manifest.destinations import Destination
    from bulkup.operations.verify import Discrepancy, Report, VerifyCounts
    from bulkup.operations.verify_checks import Depth
    from bulkup.settings.table import Settings

EXAMPLE = """One listing proves an object whose size and ETag are those it was stored with; any
other is asked for by HEAD (checksum, SHA-256), and read where the store knows no digest of it.
What is missing, short or different is dead until bulkup retry --failed, which sends it again;
under another key (name~<8 hex>.ext) where its own is taken: no object is ever overwritten.
A variant (thumb, preview) is checked in the same way, and made again under its own key.
Foreign objects are listed only. Exits 3 when it lists anything.

Example: bulkup verify --to s3://bucket/photos --sample 1%"""

SHOWN = 1000
"""Rows of the table at most; --json and --csv list all, as they are found."""

COLUMNS = ("destination", "key", "finding", "detail", "path", "variant")


def run(
    flags: Flags,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH…]", help="Where these were pushed to; else everywhere."),
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="DEST", help="This destination.")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read the bytes of every object.")] = False,
    sample: Annotated[
        str | None, typer.Option(metavar="N|P%", help="Read the bytes of so many, at random.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="The same sample as a run that printed this.")
    ] = None,
    endpoint_url: Annotated[str | None, typer.Option(metavar="URL")] = None,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, a line for each file.")] = False,
) -> None:
    """Compare the manifest with the destinations: missing, short, different, foreign."""
    import secrets

    from bulkup.manifest.reader import Reader
    from bulkup.operations.verify_checks import Depth, parse_sample

    settings = flags.settings(endpoint_url=endpoint_url)
    seed = secrets.randbits(32) if seed is None else seed
    depth = Depth(share=1.0 if deep else 0.0)
    if sample is not None:
        depth = parse_sample(sample, seed)
        print(f"Sample: --seed {seed} picks the same objects again", file=sys.stderr)
    with Reader(settings.manifest) as reader:
        exists = reader.exists
    output = _output(json=json, csv=csv)
    refused = _verify(settings, to, paths or [], depth, output) if exists else False
    output.end(quiet=settings.quiet)
    if refused:
        raise typer.Exit(ExitCode.DESTINATION)
    if output.found:
        raise typer.Exit(ExitCode.UNFINISHED)


def _verify(
    settings: Settings, to: str | None, paths: list[str], depth: Depth, output: _Output
) -> bool:
    """Check one destination after the other; whether any of them refused."""
    import asyncio
    from random import Random

    from bulkup.clock import SystemClock
    from bulkup.manifest.manifest import Manifest
    from bulkup.operations.read_session import ReadSession
    from bulkup.operations.verify import destinations_of, verify

    roots = [os.path.abspath(path) for path in paths]
    refused = False
    with Manifest(settings.manifest) as manifest:
        chosen = destinations_of(
            manifest.destinations, to=to, endpoint_url=settings.run.endpoint_url, roots=roots
        )
        for destination in chosen:
            session = ReadSession(manifest, settings.run, os.environ, SystemClock(), Random())
            try:
                counts = asyncio.run(
                    verify(session, destination, depth, output.reporter(destination))
                )
            except BulkupError as error:
                if error.exit_code != ExitCode.DESTINATION:
                    raise
                _print_error(destination.url, error)
                refused = True
            else:
                output.checked(destination, counts)
    return refused


def _print_error(url: str, error: BulkupError) -> None:
    from bulkup.cli.output.text import escape

    typer.echo(f"bulkup: {escape(url)}: {escape(str(error))}", err=True)
    if error.hint:
        typer.echo(f"  {escape(error.hint)}", err=True)


class _Output:
    """A table of what is found, and a line for each destination."""

    def __init__(self) -> None:
        self.found = 0
        self._mendable = 0
        self._rows: list[tuple[str, ...]] = []
        self._lines: list[str] = []

    def reporter(self, destination: Destination) -> Report:
        """Takes what is found at the destination."""

        def report(one: Discrepancy) -> None:
            self.found += 1
            self._mendable += one.finding in ("missing", "short", "different")
            self.row(destination.url, one)

        return report

    def row(self, url: str, one: Discrepancy) -> None:
        """Show one finding, with each of its files."""
        for path in one.paths or ("",):
            if len(self._rows) < SHOWN:
                why = one.detail if one.variant is None else f"{one.variant}: {one.detail}"
                self._rows.append((one.finding, f"{url}: {one.key}", path, why))

    def checked(self, destination: Destination, counts: VerifyCounts) -> None:
        """A destination has been compared to its end."""
        from bulkup.cli.output.text import count, escape, size

        found = [f"{count(number)} {name}" for name, number in sorted(counts.findings.items())]
        what = count(counts.objects, "object")
        if counts.variants:
            what += f" and {count(counts.variants, 'variant')}"
        self._lines.append(
            f"{escape(destination.url)}: {what} checked, "
            f"{size(counts.bytes_read)} read: {', '.join(found) or 'all as they were stored'}"
        )

    def end(self, *, quiet: bool) -> None:
        """Show what has not been shown yet."""
        from bulkup.cli.output.text import Column, print_table

        if self._rows:
            columns = [Column(title) for title in ("Finding", "Object", "File", "Why")]
            print_table(columns, self._rows, sys.stdout, os.environ)
        self._end(sys.stdout, quiet=quiet)

    def _end(self, out: Any, *, quiet: bool) -> None:
        from bulkup.cli.output.text import count, printable

        lines = self._lines or ["Nothing to verify."]
        if self._rows and self.found > len(self._rows):
            lines.append(f"{count(self.found)} in all; --csv lists them")
        if self._mendable:
            lines.append("Next: bulkup retry --failed sends again what is missing or different")
        if not quiet:
            out.writelines(f"{printable(line, out)}\n" for line in lines)


class _Streamed(_Output):
    """JSON or CSV, row by row; the lines for people go to standard error."""

    def __init__(self, rows: Any, *, by_file: bool) -> None:
        super().__init__()
        self._stream = rows
        self._by_file = by_file

    def row(self, url: str, one: Discrepancy) -> None:
        fields = (url, one.key, one.finding, one.detail)
        if self._by_file:
            for path in one.paths or ("",):
                self._stream.add((*fields, path, one.variant))
        else:
            row = dict(zip(COLUMNS[:4], fields, strict=True))
            self._stream.add({**row, "paths": one.paths, "variant": one.variant})

    def end(self, *, quiet: bool) -> None:
        self._stream.end()
        self._end(sys.stderr, quiet=quiet)


def _output(*, json: bool, csv: bool) -> _Output:
    from bulkup.cli.output.rows import CsvRows, JsonRows

    if json:
        return _Streamed(JsonRows(), by_file=False)
    if csv:
        return _Streamed(CsvRows(COLUMNS), by_file=True)
    return _Output()

"""bulkup verify: compares the manifest with the destinations."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bulkup.cli.shared_options import Flags, only_one
from bulkup.errors import BulkupError, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bulkup.manifest.destinations import Destination
    from bulkup.operations.checks.objects import Depth
    from bulkup.operations.verify import Discrepancy, VerifyCounts
    from bulkup.settings.table import Settings

EXAMPLE = """An object is good if the listing shows the size and ETag it was stored with. Others are
checked by HEAD (checksum, SHA-256), or read if the store has no digest. Missing, short, different
or unreadable files are marked failed until bulkup retry --failed uploads them again, under another
key (name~<8 hex>.ext) if theirs is taken: no object is ever overwritten. Variants are checked in
the same way, and made again under their own key. Unknown objects are only listed. Exits 3 if it
lists anything.

Example: bulkup verify --to s3://bucket/photos --sample 1%"""
SETTINGS = ("s3.endpoint_url",)

SHOWN = 1000
"""The most rows of the table; --json and --csv list all, as they are found."""

_FINDINGS = {"foreign": "unknown object"}
COLUMNS = ("destination", "key", "finding", "detail", "path", "variant")


def run(
    flags: Flags,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH…]", help="Only destinations of these roots; default: all."),
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="DEST", help="Only this destination.")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read every object.")] = False,
    sample: Annotated[
        str | None, typer.Option(metavar="N|P%", help="Read N objects or P% of them, at random.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Repeat the sample of an earlier run.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, a line for each file.")] = False,
) -> None:
    """Compare the manifest with the objects at the destinations.

    Lists what is missing, short, different, unreadable or unknown.
    """
    only_one(json=json, csv=csv)
    only_one(deep=deep, sample=sample is not None)
    if seed is not None and sample is None:
        raise UsageError("--seed is for a sample", hint="Add --sample N.")
    settings, to = flags.settings_at(to)
    roots = [os.path.abspath(path) for path in paths or ()]
    output = _output(json=json, csv=csv)
    _verify(to, roots, _depth(deep=deep, sample=sample, seed=seed), settings, output)
    output.end(quiet=settings.quiet)
    if output.any_refused:
        raise typer.Exit(ExitCode.DESTINATION)
    if output.count:
        raise typer.Exit(ExitCode.UNFINISHED)


def _verify(
    to: str | None, roots: list[str], depth: Depth, settings: Settings, output: _TableReport
) -> None:
    import asyncio

    from bulkup.api.verification import VerifyRequest, verify_destinations
    from bulkup.run.descriptors import ensure_descriptors

    ensure_descriptors()
    request = VerifyRequest(to=to, roots=roots, depth=depth)
    asyncio.run(verify_destinations(request, settings, output))


def _depth(*, deep: bool, sample: str | None, seed: int | None) -> Depth:
    import secrets

    from bulkup.api.verification import depth_of

    if sample is not None and seed is None:
        seed = secrets.randbits(32)
    depth = depth_of(deep=deep, sample=sample, seed=seed)
    if sample is not None:
        print(f"Sample: --seed {seed} selects the same objects again", file=sys.stderr)
    return depth


class _TableReport:
    """Prints a table of the discrepancies, and a line per destination."""

    def __init__(self) -> None:
        self.count = 0
        self.any_refused = False
        self._repairable = 0
        self._rows: list[tuple[str, ...]] = []
        self._lines: list[tuple[Destination, str]] = []

    def found(self, destination: Destination, one: Discrepancy) -> None:
        """Add one discrepancy."""
        self.count += 1
        is_copy = one.variant == "manifest"  # the next push sends another
        self._repairable += not is_copy and one.finding in (
            "missing",
            "short",
            "different",
            "unreadable",
        )
        self.row(destination.url, one)

    def refused(self, destination: Destination, error: BulkupError) -> None:
        """Print why a destination could not be compared."""
        from bulkup.cli.output.text import print_error

        self.any_refused = True
        print_error(f"{destination.url}: {error}", error.hint)

    def row(self, url: str, one: Discrepancy) -> None:
        """Add one discrepancy, with each of its files."""
        for path in one.paths or ("",):
            if len(self._rows) < SHOWN:
                why = one.detail if one.variant is None else f"{one.variant}: {one.detail}"
                self._rows.append(
                    (_FINDINGS.get(one.finding, one.finding), f"{url}: {one.key}", path, why)
                )

    def checked(self, destination: Destination, counts: VerifyCounts) -> None:
        """Add the line of a destination that has been compared."""
        from bulkup.cli.output.text import count, size

        found = [
            count(number, _FINDINGS[name]) if name in _FINDINGS else f"{count(number)} {name}"
            for name, number in sorted(counts.findings.items())
        ]
        what = count(counts.objects, "object")
        if counts.variants:
            what += f" and {count(counts.variants, 'variant')}"
        said = f"{size(counts.bytes_read)} read: {', '.join(found) or 'no problems'}"
        self._lines.append((destination, f"{what} checked, {said}"))

    def _shown_lines(self) -> Iterator[str]:
        """The lines, with the server where two have destinations of one URL."""
        from bulkup.cli.output.text import escape

        urls = [destination.url for destination, _ in self._lines]
        for destination, said in self._lines:
            is_alone = urls.count(destination.url) == 1
            where = "" if is_alone else f" at {destination.endpoint_url or 'Amazon S3'}"
            yield f"{escape(destination.url + where)}: {said}"

    def end(self, *, quiet: bool) -> None:
        """Print what has not been printed yet."""
        from bulkup.cli.output.table import Column, print_table

        if self._rows:
            columns = [
                Column(title, cut=title != "Finding")
                for title in ("Finding", "Object", "File", "Why")
            ]
            print_table(columns, self._rows, sys.stdout, os.environ)
        self._end(sys.stdout, quiet=quiet)

    def _end(self, out: Any, *, quiet: bool) -> None:
        from bulkup.cli.output.text import count, print_lines

        lines = [*self._shown_lines()]
        if not lines and not self.any_refused:
            lines.append("Nothing to verify.")
        if self._rows and self.count > len(self._rows):
            lines.append(f"{count(self.count)} in total; --csv lists them")
        if self._repairable:
            lines.append("Next: bulkup retry --failed uploads them again")
        if not quiet:
            print_lines(lines, out)


class _StreamedReport(_TableReport):
    """Prints JSON or CSV, row by row; the lines for people go to standard error."""

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


def _output(*, json: bool, csv: bool) -> _TableReport:
    from bulkup.cli.output.rows import CsvRows, JsonRows

    if json:
        return _StreamedReport(JsonRows(), by_file=False)
    if csv:
        return _StreamedReport(CsvRows(COLUMNS), by_file=True)
    return _TableReport()

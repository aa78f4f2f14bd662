"""bulkup export: files and their metadata, out of the manifest, for other programs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer

from bulkup.cli.options import Flags
from bulkup.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bulkup.manifest.exporting import ExportRow
    from bulkup.reporting.formats import Format

NAME = "export"
EXAMPLE = """Columns: root, path, size_bytes, modified_at, digest, media_type, destination, key,
upload, process, embed, missing_since. jsonl and npz keep names exactly, a byte that is no UTF-8
as \\udcXX; csv and parquet show it as \\xNN. parquet and npz need an extra:
pip install 'bulkup[parquet]' or 'bulkup[npz]'.

Example: bulkup export --format parquet --output photos.parquet '*.heic'"""

_MODE = 0o600  # names of private pictures are private


def run(
    flags: Flags,
    glob: Annotated[
        str | None, typer.Argument(metavar="[GLOB]", help="A shell pattern for the path's end.")
    ] = None,
    format: Annotated[  # noqa: A002 - the name of the option
        Literal["jsonl", "csv", "parquet", "npz"], typer.Option(help="How to write them.")
    ] = "jsonl",
    output: Annotated[
        str, typer.Option(metavar="FILE|-", help="Where to; - is standard output.")
    ] = "-",
) -> None:
    """Write files and their metadata out of the manifest."""
    from bulkup.manifest.manifest import Reader
    from bulkup.reporting.atomic import check_writable, whole_file
    from bulkup.reporting.formats import BINARY, check_format

    check_format(format)
    settings = flags.settings()
    if output == "-" and format in BINARY and sys.stdout.isatty():
        raise UsageError(f"{format} is not for a terminal", hint="Name a file: --output FILE")
    if output != "-":
        check_writable(output, named="--output")
    with Reader(settings.manifest) as reader:
        rows = reader.exports.files(glob) if reader.exists else iter(())
        if output == "-":
            _write(format, rows, sys.stdout.buffer)
            return
        try:
            with whole_file(output, mode=_MODE) as file:
                count = _write(format, rows, file)
        except OSError as error:
            raise UsageError(f"--output {output}: {error.strerror}") from error
    if not settings.quiet:
        from bulkup.cli import render

        typer.echo(f"Wrote {render.count(count, 'file')} to {render.escape(output)}", err=True)


def _write(form: Format, rows: Iterator[ExportRow], out: BinaryIO) -> int:
    from bulkup.cli.render import escape
    from bulkup.manifest.exporting import ExportRow
    from bulkup.reporting.formats import write_rows

    return write_rows(form, ExportRow._fields, rows, out, escape=escape)

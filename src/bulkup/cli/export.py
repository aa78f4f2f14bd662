"""bulkup export: writes files, their metadata and embeddings for other programs."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer

from bulkup.cli.shared_options import Flags
from bulkup.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bulkup.manifest.reports.export import ExportRow
    from bulkup.reporting.row_formats import ExportFormat

EXAMPLE = """Columns: root, path, size_bytes, modified_at, digest, media_type, destination, key,
upload, process, embed, missing_since; then the metadata of pictures, empty until they are
processed: width_px, height_px, format, orientation, taken_at, camera, lens, f_number,
exposure_seconds, iso, focal_length_mm, latitude, longitude, altitude_metres, perceptual_hash,
rating, title, description, keywords. With vectors: embedder and vector (in npz digests, vectors and
embedder), all of the embedder used last; parquet and npz have them unless --no-vectors.
jsonl and npz keep names exactly, a byte that is not UTF-8 as \\udcXX; csv and parquet show it as
\\xNN. parquet needs an extra, pyarrow.

Example: bulkup export --format parquet --output photos.parquet '*.heic'"""

_MODE = 0o600  # names of private pictures are private


def run(
    flags: Flags,
    glob: Annotated[
        str | None,
        typer.Argument(
            metavar="[GLOB]", help="Only files whose path ends like this shell pattern."
        ),
    ] = None,
    format: Annotated[  # noqa: A002 - the name of the option
        Literal["jsonl", "csv", "parquet", "npz"], typer.Option(help="The output format.")
    ] = "jsonl",
    output: Annotated[
        str, typer.Option(metavar="FILE|-", help="The output file; - is standard output.")
    ] = "-",
    vectors: Annotated[
        bool | None, typer.Option("--vectors/--no-vectors", help="With or without embeddings.")
    ] = None,
) -> None:
    """Export files, their metadata and embeddings from the manifest."""
    from bulkup.manifest.reader import Reader
    from bulkup.reporting.row_formats import BINARY

    settings = flags.settings()
    _check_output(format, output)
    has_vectors = format in BINARY if vectors is None else vectors
    with Reader(settings.manifest) as reader:
        embedder = reader.exports.embedder() if has_vectors else None
        rows = reader.exports.files(glob, embedder)
        write = partial(_write, format, rows, has_vectors, embedder.dimension if embedder else 0)
        if output == "-":
            write(sys.stdout.buffer)
            return
        count = _write_file(output, write)
    if not settings.quiet:
        from bulkup.cli.output import text as render

        typer.echo(f"Wrote {render.count(count, 'file')} to {render.escape(output)}", err=True)


def _check_output(form: ExportFormat, output: str) -> None:
    from bulkup.content.media import is_media_head
    from bulkup.reporting.atomic_file import check_writable
    from bulkup.reporting.row_formats import BINARY, check_format

    check_format(form)
    if output != "-":
        check_writable(output, named="--output", is_ours=lambda head: not is_media_head(head))
    elif form in BINARY and sys.stdout.isatty():
        raise UsageError(
            f"{form} cannot be written to a terminal", hint="Name a file: --output FILE"
        )


def _write_file(path: str, write: Callable[[BinaryIO], int]) -> int:
    from bulkup.reporting.atomic_file import whole_file

    try:
        with whole_file(path, mode=_MODE) as file:
            return write(file)
    except BrokenPipeError:  # the reader of a FIFO has gone
        raise
    except OSError as error:
        raise UsageError(f"--output {path}: {error.strerror}") from error


def _write(
    form: ExportFormat, rows: Iterator[ExportRow], has_vectors: bool, dimension: int, out: BinaryIO
) -> int:
    from bulkup.cli.output.text import escape
    from bulkup.manifest.reports.export import OF_VECTORS, ExportRow
    from bulkup.reporting.row_formats import write_rows

    columns: tuple[str, ...] = ExportRow._fields
    if not has_vectors:
        columns = columns[: -len(OF_VECTORS)]
    cells = (row[: len(columns)] for row in rows)
    return write_rows(form, columns, cells, out, escape=escape, dimension=dimension)

"""The command line: global options, the commands, and errors turned into exit codes."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, TextIO, cast

import typer

from bulkup import __version__
from bulkup.cli.commands import CommandGroup
from bulkup.cli.other_verbs import option_hint
from bulkup.cli.output.text import print_error
from bulkup.cli.shared_options import (
    GLOBAL_OPTIONS,
    ConfigOption,
    LogFileOption,
    ManifestOption,
    QuietOption,
    VerboseOption,
)
from bulkup.errors import BulkupError, ExitCode

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

EXIT_CODES = """\b
Exit codes:
    0  all done
    1  a bug or an unexpected error
    2  wrong usage
    3  finished, but some files failed or will be retried
    4  the destination refused requests or cannot be reached
    5  the manifest (the SQLite database) cannot be used
  130  interrupted (SIGINT)
  143  terminated (SIGTERM)

Example: bulkup push ./photos --to s3://bucket/photos
"""

app = typer.Typer(
    name="bulkup",
    cls=CommandGroup,
    help="Upload folders of pictures to S3-compatible storage or another disk, every picture once.",
    epilog=EXIT_CODES,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


# The class of all usage errors, which typer does not export.
_WRONG_USAGE = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_EXHAUSTED = (errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"bulkup {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    manifest: ManifestOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = None,
    verbose: VerboseOption = None,
    log_file: LogFileOption = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Global options; they may also follow the name of the command."""
    values = (manifest, config, quiet, verbose, log_file)
    context.obj = {
        name: value for name, value in zip(GLOBAL_OPTIONS, values, strict=True) if value is not None
    }


def main() -> None:
    """Run the command line, and exit at once with its exit code.

    The HTTP client's native threads may still be cleaning up a refused connection; an interpreter
    that shuts down under them sometimes aborts the process (seen with pyreqwest 0.12). Everything
    that must last is on disk by now, so nothing is lost by not waiting.
    """
    _open_closed_streams()
    _require_utf8_names()
    # Characters that its encoding lacks become \\uNNNN.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a TextIOWrapper
    sys.stderr = _messages(sys.stderr)
    code = _run()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # the reader has gone, which is not an error of a filter
    except OSError as error:
        code = code or _report_full(error)
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


class _MessageFile(io.FileIO):
    """Standard error: what a full disk behind it does not take is lost, and ends no run."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            return memoryview(data).nbytes


def _messages(stderr: TextIO) -> TextIO:
    raw = _MessageFile(stderr.fileno(), "w", closefd=False)
    buffered = io.BufferedWriter(raw)
    return io.TextIOWrapper(buffered, stderr.encoding, "backslashreplace", line_buffering=True)


def _require_utf8_names() -> None:
    """Start this process again in Python's UTF-8 mode where names of files are not UTF-8.

    In a Latin-1 locale a name would have another key than in a UTF-8 one, and the manifest's names
    could not be opened. What is printed keeps the locale's encoding.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    encoding = os.environ.get("PYTHONIOENCODING") or sys.stdout.encoding
    environ = os.environ | {"PYTHONUTF8": "1", "PYTHONIOENCODING": encoding}
    with suppress(OSError):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environ)  # noqa: S606 - itself, without a shell


def _open_closed_streams() -> None:
    """Open /dev/null for each standard stream that the caller closed (`>&-`).

    Otherwise a file or a socket that is opened later would get its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(nowhere, mode, encoding="utf-8"))  # noqa: SIM115 - stays open


def _run() -> int:
    """Run the command; return its exit code."""
    try:
        code = app(standalone_mode=False)
        return code if isinstance(code, int) else int(ExitCode.DONE)
    except _WRONG_USAGE as wrong:
        return _report_usage(wrong)
    except typer.Abort:
        return int(ExitCode.INTERRUPTED)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # the parser's own help, unread
            return int(ExitCode.DONE)
        return leaving.code if isinstance(leaving.code, int) else int(ExitCode.DONE)
    except BulkupError as error:
        print_error(str(error), error.hint)
        return int(error.exit_code)
    except BrokenPipeError:
        return int(ExitCode.DONE)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except OSError as error:
        if error.errno in _FULL:
            return _report_full(error)
        return _report_exhausted(error) if error.errno in _EXHAUSTED else _report_bug(error)
    except Exception as error:  # noqa: BLE001 - the last place where a bug can be reported
        is_exhausted = isinstance(error, MemoryError) or any(
            text in str(error) for text in ("start new thread", "map segment", "allocate memory")
        )  # a RuntimeError of Python, and ImportErrors of the system's loader
        return _report_exhausted(error) if is_exhausted else _report_bug(error)


def _report_usage(wrong: Any) -> int:
    """Options and arguments that the parser refused, as all other errors are reported."""
    context = wrong.ctx
    command = context.command_path if context is not None else "bulkup"
    message = wrong.format_message().rstrip(".")
    hint = f"All options: {command} --help"
    if option := getattr(wrong, "option_name", None):
        if other := option_hint(option):
            message, hint = f"no such option: {option}", f"{other}\n{hint}"
    elif "unexpected extra argument" in message and command == "bulkup status":
        hint = f"The files of one folder: bulkup files PATH\n{hint}"
    elif message.startswith("Missing") and context is not None and context.command.epilog:
        hint = f"{context.command.epilog.splitlines()[-1]}\n{hint}"
    print_error(message[0].lower() + message[1:], hint)
    return int(ExitCode.USAGE)


def _report_full(error: OSError) -> int:
    """A disk is full, as a rule the one behind standard output."""
    print_error(f"{error.filename or 'standard output'}: {error.strerror}", None)
    return int(ExitCode.USAGE)


def _report_exhausted(error: Exception) -> int:
    """A limit of this machine, or of this process, was reached."""
    reason = str(error).strip().splitlines()[-1:] or ["out of memory"]
    print_error(
        f"there is no more memory, or no more threads or open files: {reason[0]}",
        "Raise the limit (ulimit -v, -u, -n), or use less: --concurrency 4, --workers 1.",
    )
    return int(ExitCode.MANIFEST)


def _report_bug(error: Exception) -> int:
    import traceback

    traceback.print_exception(error)
    print_error(f"unexpected error: {type(error).__name__}: {error}", "Please report this.")
    return int(ExitCode.BUG)

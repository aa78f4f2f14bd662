"""bulkup serve: the gallery, the queue and uploads in a browser."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.output.text import print_folded
from bulkup.cli.shared_options import Flags
from bulkup.errors import UsageError

if TYPE_CHECKING:
    from bulkup.serve.server import Server

EXAMPLE = """\b
Example: bulkup serve --open
Example: bulkup serve --host 0.0.0.0 --work"""
SETTINGS = ("serve.host", "serve.port", "serve.root_path")


def run(
    flags: Flags,
    work: Annotated[
        bool,
        typer.Option(
            "--work",
            help="Also process and embed, whenever there is something, and watch the folders of "
            "serve.watch in bulkup.toml.",
        ),
    ] = False,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the gallery in the browser.")
    ] = False,
) -> None:
    """Show pictures, progress and failures in a browser; take uploads.

    Prints a link that signs a browser on this machine in, once. Other machines and programs need
    a token: bulkup token add.
    """
    settings = flags.settings()
    try:
        from bulkup.serve.server import Server
    except ImportError as error:
        from bulkup.installation import extra_command

        raise UsageError(
            f"serve needs more packages ({error.name} is missing)",
            hint=f"Install them: {extra_command('serve')}",
        ) from error
    config = flags.given.get("config")
    # Runs that the server starts use the same settings.
    environ = {**os.environ, **({"BULKUP_CONFIG": str(config)} if config else {})}
    server = Server(settings, environ, works=work)
    link = server.sign_in_link()
    if not settings.quiet:
        print_folded(f"Serving {settings.manifest} at {server.url}", sys.stderr)
        if link is not None:
            print_folded(f"Open this link; it works once: {link}", sys.stdout)
        sys.stdout.flush()
    sys.exit(_serve(server, (link or server.url) if open_browser else None))


def _serve(server: Server, link: str | None) -> int:
    from bulkup.api.loops import loop_factory
    from bulkup.cli.run_command import StopSignals

    async def serve() -> int:
        signals = StopSignals(server, asyncio.get_running_loop())
        if link is not None:
            asyncio.get_running_loop().call_later(0.3, _open, link)
        await server.run()
        return signals.exit_code or 0

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(serve())


def _open(link: str) -> None:
    """Open the browser in a thread: some browsers return only when they are closed."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()

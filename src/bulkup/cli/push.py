"""bulkup push: walk, hash, deduplicate, upload."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bulkup.cli.options import Flags
from bulkup.errors import ExitCode

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from bulkup.cli.journal import Journal
    from bulkup.cli.outside import Outside
    from bulkup.cli.progress import Screen
    from bulkup.manifest.manifest import Manifest
    from bulkup.run.batch import Push, PushRun
    from bulkup.run.events import Event, Summary
    from bulkup.settings import Settings

NAME = "push"
EXAMPLE = "Example: bulkup push ./photos --to s3://bucket/photos --exclude 'drafts/'"

Globs = list[str] | None


def run(
    flags: Flags,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH…", help="Directories, files or ZIP archives.")
    ],
    to: Annotated[
        str | None,
        typer.Option(metavar="DEST", help="s3://bucket/prefix or a directory; remembered."),
    ] = None,
    stages: Annotated[str | None, typer.Option(help="What to do with the files: upload.")] = None,
    include: Annotated[
        Globs, typer.Option(metavar="GLOB", help="Only these (gitignore syntax); repeatable.")
    ] = None,
    exclude: Annotated[
        Globs, typer.Option(metavar="GLOB", help="Not these (gitignore syntax); repeatable.")
    ] = None,
    all_files: Annotated[
        bool | None, typer.Option("--all-files", help="Not only pictures, videos and sidecars.")
    ] = None,
    hidden: Annotated[
        bool | None, typer.Option("--hidden", help="Also names that begin with a dot.")
    ] = None,
    follow_symlinks: Annotated[
        bool | None, typer.Option("--follow-symlinks", help="Go through symbolic links.")
    ] = None,
    min_size: Annotated[str | None, typer.Option(metavar="SIZE", help="For example 10KiB.")] = None,
    max_size: Annotated[str | None, typer.Option(metavar="SIZE", help="For example 2GiB.")] = None,
    newer_than: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Modified since: 30d or 2026-01-31.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Modified before: 30d or 2026-01-31.")
    ] = None,
    files_from: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Only the paths listed there.")
    ] = None,
    layout: Annotated[
        Literal["path", "content"] | None, typer.Option(help="Keys from paths or from digests.")
    ] = None,
    on_duplicate: Annotated[
        Literal["skip", "copy"] | None, typer.Option(help="Record it only, or copy on the server.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="No request, no write: say what would be done.")
    ] = False,
    concurrency: Annotated[
        str | None, typer.Option(metavar="auto|N", help="Requests in flight.")
    ] = None,
    max_rate: Annotated[
        str | None, typer.Option(metavar="N/s", help="Requests a second, at most.")
    ] = None,
    bwlimit: Annotated[
        str | None, typer.Option(metavar="RATE", help="Bytes a second, at most: 10M.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Send N contents, at most.")
    ] = None,
    max_duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Start nothing after that: 10m.")
    ] = None,
    max_errors: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Stop after N failed attempts.")
    ] = None,
    patience: Annotated[
        str | None, typer.Option(metavar="TIME", help="Wait so long for items to fall due.")
    ] = None,
    storage_class: Annotated[str | None, typer.Option(metavar="CLASS")] = None,
    cache_control: Annotated[str | None, typer.Option(metavar="TEXT")] = None,
    metadata: Annotated[Globs, typer.Option(metavar="K=V", help="Repeatable.")] = None,
    tag: Annotated[Globs, typer.Option(metavar="K=V", help="Repeatable.")] = None,
    endpoint_url: Annotated[str | None, typer.Option(metavar="URL")] = None,
    region: Annotated[str | None, typer.Option()] = None,
    profile: Annotated[
        str | None, typer.Option(help="Of bulkup.toml if it has it, else of AWS.")
    ] = None,
    ca_bundle: Annotated[str | None, typer.Option(metavar="FILE")] = None,
    metrics_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Keep FILE up to date for Prometheus.")
    ] = None,
    json: Annotated[
        bool | None, typer.Option("--json", help="Events as JSON lines on stdout.")
    ] = None,
) -> None:
    """Take directories of pictures to object storage, never sending the same content twice."""
    options = dict(locals())
    for name in ("flags", "paths", "dry_run"):
        del options[name]
    settings = flags.settings(**options)
    push = plan_of(settings, paths, now=time.time())
    if dry_run:
        from bulkup.cli.dry_run import show_plan

        show_plan(push, settings)
        return
    sys.exit(_push(push, settings))


def plan_of(settings: Settings, paths: list[str], *, now: float) -> Push:
    """What the settings ask for, with the roots checked. Raises UsageError."""
    from bulkup.discover.select import Rules, Selection, parse_moment
    from bulkup.run.batch import Push, check_roots
    from bulkup.upload.attributes import Extras

    roots = tuple(dict.fromkeys(os.path.abspath(path) for path in paths))  # noqa: PTH100 - keeps links
    check_roots(roots)
    newer, older = settings.newer_than, settings.older_than
    selection = Selection(
        include=settings.include,
        exclude=settings.exclude,
        all_files=settings.all_files,
        hidden=settings.hidden,
        follow_symlinks=settings.follow_symlinks,
        min_size_bytes=settings.min_size_bytes,
        max_size_bytes=settings.max_size_bytes,
        newer_than=None if newer is None else parse_moment(newer, now=now),
        older_than=None if older is None else parse_moment(older, now=now),
    )
    Rules(selection)  # a bad pattern is found before anything else is done
    return Push(
        roots=roots,
        to=settings.to,
        default_to=os.path.join(settings.home, "store"),  # noqa: PTH118 - a str, as typed
        selection=selection,
        files_from=settings.files_from,
        cwd=os.getcwd(),  # noqa: PTH109 - a str, as the paths are
        layout=settings.layout,
        copies_duplicates=settings.on_duplicate == "copy",
        extras=Extras(
            settings.cache_control,
            settings.storage_class,
            dict(settings.metadata),
            dict(settings.tags),
        ),
        endpoint_url=settings.endpoint_url,
        region=settings.region,
        profile=settings.profile,
        ca_bundle=settings.ca_bundle,
        concurrency=None if settings.concurrency == "auto" else settings.concurrency,
        max_rate_per_second=settings.max_rate_per_second,
        bwlimit_bytes_per_second=settings.bwlimit_bytes_per_second,
        limit=settings.limit,
        max_duration_seconds=settings.max_duration_seconds,
        max_errors=settings.max_errors,
        patience_seconds=settings.patience_seconds,
        part_threshold_bytes=settings.part_threshold_bytes,
        part_size_bytes=settings.part_size_bytes,
        stale_after_seconds=settings.stale_after_seconds,
    )


def _push(push: Push, settings: Settings) -> int:
    import asyncio
    import gc

    from bulkup.manifest.manifest import Manifest

    # What has been imported stays; and of the tuples made for each file none is part of a cycle.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    with (
        Manifest(settings.manifest) as manifest,
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        return runner.run(_run(push, settings, manifest))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's where there is one: a request costs half of what it does in asyncio's own."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        from asyncio import new_event_loop  # type: ignore[assignment]  # the same, but slower
    return new_event_loop


async def _run(push: Push, settings: Settings, manifest: Manifest) -> int:
    import asyncio
    from random import Random

    from bulkup.cli.journal import Journal
    from bulkup.cli.outside import Outside
    from bulkup.clock import SystemClock
    from bulkup.run.batch import PushRun

    clock = SystemClock()
    with Journal(_sinks(settings), clock) as journal:
        outside = Outside(settings, clock)
        output = _Output(settings, journal, outside)
        run = PushRun(
            push,
            manifest,
            environ=os.environ,
            clock=clock,
            random=Random(),  # noqa: S311 - jitter, no secret
            emit=output.emit,
            wants_files=settings.json or settings.log_file is not None or settings.verbose,
        )
        signals = _Signals(run, asyncio.get_running_loop())
        async with outside.watching(run.snapshot, output.emit):
            with output.screen(run):
                summary = await run.run()
            output.summarize(summary)
    return signals.exit_code or summary.exit_code


def _sinks(settings: Settings) -> list[tuple[str, int]]:
    from bulkup.cli.journal import open_log

    sinks = []
    if settings.json:
        sinks.append(("stdout", sys.stdout.fileno()))
    if settings.log_file is not None:
        sinks.append((settings.log_file, open_log(settings.log_file)))
    return sinks


class _Output:
    """Where the events of one run go: the journal, the screen, the summary."""

    def __init__(self, settings: Settings, journal: Journal, outside: Outside) -> None:
        self._settings = settings
        self._journal = journal
        self._outside = outside
        self._screen: Screen | None = None

    def screen(self, run: PushRun) -> Screen:
        from bulkup.cli.progress import Screen

        quiet = self._settings.quiet or (self._settings.json and sys.stdout.isatty())
        self._screen = Screen(run.snapshot, sys.stderr, os.environ, quiet=quiet)
        return self._screen

    def emit(self, event: Event) -> None:
        from bulkup.run import events

        self._journal.emit(event)
        self._outside.emit(event)
        settings = self._settings
        if isinstance(event, events.Summary):
            return
        if settings.quiet:
            if isinstance(event, events.Notice) and event.is_error:
                self._say(str(event))
            return
        always = (events.Notice, events.Paused)
        if isinstance(event, events.RunStarted):
            shown = event.first_default or settings.verbose
        else:
            shown = settings.verbose or isinstance(event, always)
        if shown and (text := str(event)):
            self._say(text)

    def _say(self, text: str) -> None:
        if self._screen is not None:
            self._screen.say(text)

    def summarize(self, summary: Summary) -> None:
        from bulkup.cli.render import is_screen, summary_line, summary_lines

        if self._settings.quiet:
            return
        out = sys.stderr if self._settings.json else sys.stdout
        lines = summary_lines(summary) if is_screen(out, os.environ) else [summary_line(summary)]
        for line in lines:
            print(line, file=out)


class _Signals:
    """SIGINT and SIGTERM: the first ends the run in order, the second at once."""

    def __init__(self, run: PushRun, loop: asyncio.AbstractEventLoop) -> None:
        self._run = run
        self.exit_code: int | None = None
        for number, code in (
            (signal.SIGINT, ExitCode.INTERRUPTED),
            (signal.SIGTERM, ExitCode.TERMINATED),
        ):
            loop.add_signal_handler(number, self._receive, number, int(code))

    def _receive(self, number: signal.Signals, code: int) -> None:
        if self.exit_code is not None:
            # Claims are void once this process is gone; nothing else needs to be put in order.
            os._exit(code)
        self.exit_code = code
        self._run.stop(f"{number.name} received")

"""What all requests share."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from bulkup.clock import Clock
from bulkup.operations.uploads.broker import Broker
from bulkup.serve.bodies.answers import Answers
from bulkup.serve.bodies.byte_cache import ByteCache
from bulkup.serve.child_runs import ChildRuns
from bulkup.serve.live.hub import Live
from bulkup.serve.live.overview import Overview
from bulkup.serve.manifest_threads import READERS, ManifestThreads
from bulkup.serve.rate_limits import RateLimits
from bulkup.serve.searches import Searches
from bulkup.serve.stores import Stores
from bulkup.serve.watching import Watching
from bulkup.serve.worker import Worker

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from bulkup.settings.serve_options import ServeOptions
    from bulkup.settings.table import Settings

VARIANTS_BYTES = 64 << 20
"""Thumbnails in memory: some 6,000."""

MOST_ANSWERS = 10_000


@dataclass(frozen=True, slots=True)
class ServerContext:
    """The settings, the manifest, time and randomness of one server."""

    settings: Settings
    manifest: ManifestThreads
    clock: Clock
    random: Random
    environ: Mapping[str, str]
    rate_limits: RateLimits
    stores: Stores
    overview: Overview
    live: Live
    searches: Searches
    child_runs: ChildRuns
    variants: ByteCache
    found: Answers[Any]  # where objects are, by what was asked for
    worker: Worker | None  # with --work
    broker: Broker  # opens its destination at the first upload
    root_path: str = ""  # below which browsers see the server
    cookie: str = "bulkup"  # another for each port: browsers share cookies between ports
    one_time_codes: set[bytes] = field(default_factory=set)  # digests; each is good for one use

    async def close(self) -> None:
        """Close what requests opened, all of it, whatever the closing of one raises."""
        async with AsyncExitStack() as opened:
            opened.callback(self.manifest.close)
            opened.push_async_callback(self.stores.close)
            opened.push_async_callback(self.broker.close)
            opened.push_async_callback(self.child_runs.close)


def new_context(
    settings: Settings,
    *,
    clock: Clock,
    random: Random,
    environ: Mapping[str, str],
    readers: int = READERS,
    cookie: str = "bulkup",
    works: bool = False,
) -> ServerContext:
    """The context of a new server. Raises ManifestError."""
    manifest = ManifestThreads(settings.manifest, readers=readers)
    runs = ChildRuns(settings.manifest, environ)
    watching = Watching(settings.serve.watch, runs, clock)
    overview = Overview(manifest, clock, settings.run.stale_after_seconds)
    return ServerContext(
        settings=settings,
        manifest=manifest,
        clock=clock,
        random=random,
        environ=environ,
        rate_limits=RateLimits(settings.serve.burst, settings.serve.per_minute),
        stores=Stores(manifest, settings.run, environ, clock),
        overview=overview,
        live=Live(manifest, overview, clock, failure_rate=settings.webhook.failure_rate),
        searches=Searches(manifest, settings.run, clock, random),
        child_runs=runs,
        worker=Worker(manifest, runs, clock, watching) if works else None,
        variants=ByteCache(VARIANTS_BYTES),
        found=Answers(MOST_ANSWERS),
        broker=_new_broker(settings, manifest, environ, clock, random),
        root_path=root_path_of(settings.serve),
        cookie=cookie,
    )


def _new_broker(
    settings: Settings,
    manifest: ManifestThreads,
    environ: Mapping[str, str],
    clock: Clock,
    random: Random,
) -> Broker:
    return Broker(
        manifest,
        settings,
        environ,
        clock,
        random,
        new_id=lambda: secrets.token_urlsafe(18),
        secret=secrets.token_bytes(32),
    )


def root_path_of(options: ServeOptions) -> str:
    """The path of the settings, without a slash at its end; '' or beginning with one."""
    path = (options.root_path or "").strip("/")
    return f"/{path}" if path else ""


def context_of(request: HTTPConnection) -> ServerContext:
    """The context of the server that received the request."""
    context = request.scope["state"]["context"]
    assert isinstance(context, ServerContext)
    return context

"""Whole destinations checked or taken in: opened, paced, and known to other runs meanwhile."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import repeat
from random import Random
from typing import TYPE_CHECKING

from bulkup.clock import Clock
from bulkup.errors import ExitCode, UsageError
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.runs import Destination, Runs
from bulkup.operations.rebuild import Rebuilding, Rebuilt
from bulkup.operations.shared_prefix import overlapping
from bulkup.operations.verify import Checked, Discrepancy, Verification, sample
from bulkup.operations.whither import canonical
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.heartbeat import Heartbeat
from bulkup.run.open_destination import open_known
from bulkup.run.store_reader import StoreReader, limiter_of
from bulkup.settings import Settings
from bulkup.walk.roots import anchor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SAMPLE = re.compile(r"(\d+)|(\d+(?:\.\d+)?)%", re.ASCII)


@dataclass(frozen=True, slots=True)
class Depth:
    """Which objects are read: so many, or such a share of them, picked at random."""

    count: int | None = None
    share: float = 0.0
    seed: int = 0

    def sample(self, total: int) -> Iterator[bool]:
        """For each of `total` objects in turn, whether it is read."""
        if self.count is None and self.share in (0.0, 1.0):
            return repeat(self.share == 1.0)
        wanted = -(-total * self.share // 1) if self.count is None else self.count
        return sample(total, int(wanted), Random(self.seed))  # noqa: S311 - a sample, no secret


def parse_sample(text: str, seed: int) -> Depth:
    """`100` objects, or `5%` of them. Raises UsageError."""
    match = _SAMPLE.fullmatch(text.strip())
    if match is None or (match[2] and float(match[2]) > 100):
        raise UsageError(f"--sample {text!r} is neither a number nor a share", hint="100 or 5%")
    if match[1]:
        return Depth(count=int(match[1]), seed=seed)
    return Depth(share=float(match[2]) / 100, seed=seed)


def destinations_of(
    runs: Runs, *, to: str | None, endpoint_url: str | None, roots: Sequence[str]
) -> list[Destination]:
    """The destination named, those that the roots (absolute paths) remember, or else all.

    Raises UsageError for what was never pushed, or never pushed to.
    """
    known = runs.destinations()
    if to is not None:
        url = canonical(to)
        found = [d for d in known if d.url == url and endpoint_url in (None, d.endpoint_url)]
        if not found:
            raise UsageError(
                f"nothing was ever pushed to {url}",
                hint="bulkup status lists the destinations; bulkup rebuild --from takes one in.",
            )
        return found
    if not roots:
        return known
    chosen: dict[int, Destination] = {}
    for root in roots:
        destination = runs.destination_of(root) or runs.destination_of(anchor(root))
        if destination is None:
            raise UsageError(f"{root} was never pushed", hint="Name a destination with --to.")
        chosen[destination.id] = destination
    return list(chosen.values())


async def verify(
    manifest: Manifest,
    destination: Destination,
    settings: Settings,
    environ: Mapping[str, str],
    *,
    depth: Depth,
    clock: Clock,
    random: Random,
    tell: Callable[[Discrepancy], None],
) -> Checked:
    """Compare the manifest with one destination. Raises DestinationError."""
    async_manifest = AsyncManifest(manifest)
    async with _asking(
        async_manifest, "verify", destination, settings, environ, clock, random
    ) as reader:
        total = await async_manifest.call(manifest.object_checks.count, destination.id)
        kin = overlapping(destination, await async_manifest.call(manifest.runs.destinations))
        verifying = Verification(
            async_manifest,
            reader,
            destination_id=destination.id,
            kin=kin,
            sample=depth.sample(total),
            clock=clock,
            tell=tell,
        )
        await verifying.run()
        return verifying.checked


async def rebuild(
    manifest: Manifest,
    url: str,
    settings: Settings,
    environ: Mapping[str, str],
    *,
    root: str | None,
    deep: bool,
    clock: Clock,
    random: Random,
) -> Rebuilt:
    """Take what a destination holds into the manifest. Raises UsageError, DestinationError."""
    async_manifest = AsyncManifest(manifest)
    url = canonical(url)
    if root is not None and not os.path.isdir(root):  # noqa: ASYNC240 - one system call
        raise UsageError(f"{root} is no directory", hint="--root names what was pushed there.")
    open_known(url, None, settings, environ)  # is it a destination at all?
    destination = manifest.runs.destination(
        url,
        endpoint_url=settings.endpoint_url or "" if url.startswith("s3://") else "",
        region=settings.region,
        profile=settings.profile,
    )
    async with _asking(
        async_manifest, "rebuild", destination, settings, environ, clock, random
    ) as reader:
        rebuilding = Rebuilding(
            async_manifest, reader, destination_id=destination.id, root=root, deep=deep, clock=clock
        )
        await rebuilding.run()
        return rebuilding.rebuilt


@asynccontextmanager
async def _asking(
    async_manifest: AsyncManifest,
    command: str,
    destination: Destination,
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    random: Random,
) -> AsyncIterator[StoreReader]:
    """Questions to a destination, asked by a run that the manifest knows of."""
    store = open_known(destination.url, destination, settings, environ)
    run_id = secrets.token_hex(6)
    heartbeat = Heartbeat(
        async_manifest,
        run_id=run_id,
        command=command,
        clock=clock,
        stale_after_seconds=settings.stale_after_seconds,
    )
    heartbeat.check_manifest()
    heartbeat.begin()
    beating = asyncio.create_task(heartbeat.beat())
    exit_code = ExitCode.DESTINATION
    try:
        yield StoreReader(store, limiter_of(settings, clock), clock, random)
        exit_code = ExitCode.DONE
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await store.close()
        async_manifest.manifest.runs.end(
            run_id, now=clock.now(), exit_code=int(exit_code), summary={"to": destination.url}
        )

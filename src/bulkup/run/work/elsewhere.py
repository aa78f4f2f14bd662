"""The work on a task in a worker of a cluster: a process that may work on several.

What a task needs is opened for the first one and kept: worker processes, connections, the model.
A setup that nobody has used for a while is closed, and only the last few are kept.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar, cast

from bulkup.clock import SystemClock
from bulkup.content.picture.types import Picture
from bulkup.engines.engine import Checked, Slot
from bulkup.errors import BulkupError, StoreForbidden
from bulkup.manifest.destinations import Destination
from bulkup.manifest.rows import EmbeddedItem, ProcessedItem, WorkItem
from bulkup.model import Digest, Stage
from bulkup.run.open_destination import open_known
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.store_reader import StoreReader
from bulkup.run.store_requests import StoreRequests, requests_to
from bulkup.run.work.checks import compare, versions_here
from bulkup.run.work.embedding import EmbeddingWork, embedded_item
from bulkup.run.work.pictures import AHEAD, PictureWork
from bulkup.run.work.task import (
    MOST_REPLY_BYTES,
    MOST_TASK_SECONDS,
    NoHands,
    Outcome,
    Task,
    TaskReply,
)
from bulkup.run.work.variant_cache import best_for_embedding
from bulkup.settings.options import RunOptions
from bulkup.stores.open import read_pem
from bulkup.stores.signed_store import SignedStore
from bulkup.stores.store import SignedURL
from bulkup.stores.urls import BucketURL, parse

if TYPE_CHECKING:
    from bulkup.stores.store import PartStore

R = TypeVar("R")

IDLE_SECONDS: Final = 30.0
"""A setup that nobody uses for so long is closed: its processes hold memory."""

MOST_OPEN: Final = 2

CHECK_SECONDS: Final = 45.0

EXPIRY_MARGIN_SECONDS: Final = 60.0
"""No item is begun later than this before its URLs expire: the driver signs others for it."""

IsWanted = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker must know: where to connect, what to make. Credentials are its own."""

    destination: Destination
    options: RunOptions
    versions: dict[str, str]  # of the driver, see `checks`
    probe: SignedURL | None = None  # with --sign: to see whether the endpoint can be reached


def work_on(setup: Setup, task: Task, slot: Slot) -> TaskReply:
    """Work on a task, as long as somebody wants it. Called in a thread of a worker, perhaps in
    several at once. Items that are not begun have no outcome in the reply."""
    return _loop().run(lambda opened: opened.work(task, slot.is_wanted), setup, slot.count)


def check_worker(setup: Setup, _task: None, slot: Slot) -> Checked:
    """Whether this worker has the driver's versions and model, and may use the destination."""
    found = versions_here()
    try:
        if "embedder" in setup.versions:
            embedder = LazyEmbedder(setup.options.embed, SystemClock(), Random())  # noqa: S311 - jitter only
            found["embedder"] = f"{embedder.name} {embedder.get().version}"
        compared = compare(setup.versions, found)
        if compared.refusal is not None:
            return Checked(compared.refusal)
        _loop().run(OpenSetup.check, setup, slot.count)
    except TimeoutError:
        return Checked(f"{setup.destination.url} does not answer it within {CHECK_SECONDS:.0f} s")
    except BulkupError as error:
        return Checked(f"{setup.destination.url}: {error}")
    return Checked(remark=compared.remark)


class OpenSetup:
    """A setup with its connections, processes and model."""

    def __init__(self, setup: Setup, slots: int) -> None:
        options = setup.options
        clock, random = SystemClock(), Random()  # noqa: S311 - jitter only - for waits
        self.users = 0
        self.used_at = monotonic()
        self._clock = clock.monotonic
        self._signed: SignedStore | None = None
        if setup.probe is None:
            at = setup.destination
            self._store = open_known(at.url, at, options, os.environ, clock)
        else:
            self._signed = _signed_store(setup, setup.probe)
            self._store = cast("PartStore", self._signed)  # nobody here asks for the rest
        requests: StoreRequests = requests_to(self._store, options, clock, random)
        self._reader = StoreReader(requests)
        self._embedder = LazyEmbedder(replace(options.embed, threads=slots), clock, random)
        self._variant = best_for_embedding(options.process.variants)
        hands = NoHands()
        self._pictures = PictureWork(
            requests, options.process, hands, clock=self._clock, count=slots
        )
        self._embedding = EmbeddingWork(requests, self._embedder.get, hands, clock=self._clock)

    async def check(self) -> None:
        """Raise DestinationError or TimeoutError unless the destination can be read."""
        await asyncio.wait_for(self._reader.check(), CHECK_SECONDS)

    async def work(self, task: Task, is_wanted: IsWanted) -> TaskReply:
        began, signed = self._clock(), task.signed
        if self._signed is None or signed is None:
            outcomes, digests = await self._outcomes(task, is_wanted)
            return TaskReply(outcomes, self._clock() - began, digests)
        now, until = self._signed.now, signed.expires_at - EXPIRY_MARGIN_SECONDS
        self._signed.allow(signed)
        try:
            outcomes, _ = await self._outcomes(task, lambda: is_wanted() and now() < until)
        finally:
            self._signed.forget(signed)
        if now() >= until:  # what was refused since is not begun: others will be signed for it
            outcomes = {
                n: one for n, one in outcomes.items() if not isinstance(one, StoreForbidden)
            }
        return TaskReply(outcomes, self._clock() - began)

    async def _outcomes(
        self, task: Task, may_go_on: IsWanted
    ) -> tuple[dict[int, Outcome], dict[int, Digest]]:
        """By item; with the digests of those that had none, which are never signed for."""
        digests: dict[int, Digest] = {}
        if task.stage is Stage.PROCESS:
            return await self._process(task, may_go_on, digests), digests
        return await self._embed(task, may_go_on), digests

    async def _process(
        self, task: Task, is_wanted: IsWanted, digests: dict[int, Digest]
    ) -> dict[int, Outcome]:
        """Each picture's variants, and its vector in the same pass where it has none. `digests`
        gets those that were not known."""
        outcomes: dict[int, Outcome] = {}
        rest = iter(task.items)
        until, reply_bytes = self._clock() + MOST_TASK_SECONDS, 0

        async def work() -> None:
            nonlocal reply_bytes
            while self._clock() < until and reply_bytes < MOST_REPLY_BYTES and is_wanted():
                item = next(rest, None)
                if item is None:
                    return
                made = await self._pictures.process(item, task)
                outcome: Outcome = made.outcome
                if isinstance(outcome, ProcessedItem) and item.content_id not in task.embedded:
                    outcome = await self._with_embedding(outcome, made.picture)
                if item.digest is None and made.digest is not None:
                    digests[item.item_id] = made.digest
                outcomes[item.item_id] = outcome
                reply_bytes += len(pickle.dumps(outcome))

        await asyncio.gather(*(work() for _ in range(1 + AHEAD)))
        return outcomes

    async def _with_embedding(self, done: ProcessedItem, made: Picture | None) -> ProcessedItem:
        """A picture that cannot be embedded now is left to the embed stage, which says why."""
        bodies = [v.body for v in made.variants if v.name == self._variant] if made else []
        for body in bodies:
            (vector,) = await self._embedding.embedded({done.item: body})
            embedded = embedded_item(done.item, vector, done.seconds)
            if isinstance(embedded, EmbeddedItem) and embedded.vector is not None:
                return done._replace(embedding=(embedded.vector, embedded.classes))
        return done

    async def _embed(self, task: Task, is_wanted: IsWanted) -> dict[int, Outcome]:
        outcomes: dict[int, Outcome] = {}
        until, most = self._clock() + MOST_TASK_SECONDS, self._embedder.most_items
        for start in range(0, len(task.items), most):
            if self._clock() >= until or not is_wanted():
                break
            some: tuple[WorkItem, ...] = task.items[start : start + most]
            outcomes.update(await self._embedding.embed(some, task))
        return outcomes

    async def close(self) -> None:
        await self._pictures.close()
        await self._embedder.close()
        await self._store.close()


def _signed_store(setup: Setup, probe: SignedURL) -> SignedStore:
    place = parse(setup.destination.url)
    prefix = f"{place.prefix}/" if isinstance(place, BucketURL) and place.prefix else ""
    pem = read_pem(setup.options.ca_bundle or os.environ.get("AWS_CA_BUNDLE"))
    return SignedStore(setup.destination.url, prefix, probe, pem)


class WorkLoop:
    """The event loop of this process for all tasks, in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._open: OrderedDict[bytes, OpenSetup] = OrderedDict()
        threading.Thread(target=self._loop.run_forever, name="bulkup", daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._close_idle(), self._loop)

    def run(self, work: Callable[[OpenSetup], Awaitable[R]], setup: Setup, slots: int) -> R:
        """What `work` returns. To be called in another thread."""
        found: Future[R] = asyncio.run_coroutine_threadsafe(
            self._run(work, setup, slots), self._loop
        )
        return found.result()

    async def _run(self, work: Callable[[OpenSetup], Awaitable[R]], setup: Setup, slots: int) -> R:
        opened = self._opened(setup, slots)
        opened.users += 1
        try:
            return await work(opened)
        finally:
            opened.users -= 1
            opened.used_at = monotonic()

    def _opened(self, setup: Setup, slots: int) -> OpenSetup:
        key = pickle.dumps(setup)
        if key not in self._open:
            self._open[key] = OpenSetup(setup, slots)
        self._open.move_to_end(key)
        return self._open[key]

    async def _close_idle(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for key, one in list(self._open.items()):
                is_old = monotonic() - one.used_at > IDLE_SECONDS
                if not one.users and (is_old or len(self._open) > MOST_OPEN):
                    del self._open[key]
                    await one.close()


_OPENING = threading.Lock()


@cache
def _only_loop() -> WorkLoop:
    return WorkLoop()


def _loop() -> WorkLoop:
    with _OPENING:
        return _only_loop()

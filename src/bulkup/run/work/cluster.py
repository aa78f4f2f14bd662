"""The cluster that a run's process and embed stages work on: `--engine dask://…`."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from bulkup.clock import Clock
from bulkup.errors import EngineUnusable, UsageError
from bulkup.events import Emit, Notice
from bulkup.installation import extra_command
from bulkup.manifest.destinations import Destination
from bulkup.run.open_destination import open_known
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.work.checks import versions_here
from bulkup.run.work.task import Task, TaskReply
from bulkup.settings.options import RunOptions

if TYPE_CHECKING:
    from bulkup.engines.dask.cluster import DaskCluster
    from bulkup.engines.dask.engine import DaskEngine
    from bulkup.engines.engine import Engine
    from bulkup.stores.store import SignedURL

LOCAL: Final = "local"


class EngineSource(Protocol):
    """Where a run has its engines from."""

    async def engine_for(
        self, destination: Destination, embedder: LazyEmbedder
    ) -> Engine[Task, TaskReply]:
        """The engine for work at a destination. Raises EngineUnusable and UsageError."""

    async def close(self) -> None:
        """Give it back. May be called twice."""


class RunCluster:
    """Opened when the first job of the run needs it."""

    def __init__(self, options: RunOptions, clock: Clock, emit: Emit) -> None:
        self._options = options
        self._clock = clock
        self._emit = emit
        self._cluster: DaskCluster | None = None
        self.engine: DaskEngine[Task, TaskReply] | None = None  # of the last job

    async def connect(self) -> DaskCluster:
        """Connect once. Raises EngineUnusable."""
        if self._cluster is None:
            try:
                from bulkup.engines.dask.cluster import DaskCluster
            except ImportError as error:
                raise EngineUnusable(
                    f"a Dask cluster needs packages that are not installed: {error}",
                    hint=extra_command("cluster"),
                ) from error
            options = self._options
            self._cluster = await DaskCluster.open(options.engine, workers=options.process.count)
        return self._cluster

    async def engine_for(
        self, destination: Destination, embedder: LazyEmbedder
    ) -> DaskEngine[Task, TaskReply]:
        """The engine for work at a destination; its workers are checked.

        Raises EngineUnusable, and UsageError for an embedder that is a service.
        """
        cluster = await self.connect()
        from bulkup.engines.dask.checks import Remote
        from bulkup.engines.dask.engine import DaskEngine
        from bulkup.run.work.elsewhere import Setup, check_worker, work_on

        await self._close_engine()
        versions = versions_here()
        if embedder.is_local:
            versions["embedder"] = f"{embedder.name} {embedder.get().version}"
        probe = await self._sign_probe(destination) if self._options.sign else None
        setup = Setup(destination, _for_workers(self._options), versions, probe)
        remote = Remote(work_on, check_worker, setup)
        engine: DaskEngine[Task, TaskReply] = DaskEngine(cluster, remote, self._clock, self._emit)
        self.engine = engine
        await engine.open()
        self._emit(
            Notice(
                f"Dask at {cluster.name}: {engine.workers:,} workers with {engine.slots:,} slots"
            )
        )
        return engine

    async def _sign_probe(self, destination: Destination) -> SignedURL:
        """A URL by which workers see whether they reach the destination."""
        from bulkup.run.stages.signing import SIGNED_SECONDS, no_bucket
        from bulkup.stores.s3.store import S3Store

        store = open_known(destination.url, destination, self._options, os.environ, self._clock)
        try:
            if not isinstance(store, S3Store):
                raise no_bucket(destination.url)
            return await store.sign_get(f"{store.prefix}.bulkup/probe", seconds=SIGNED_SECONDS)
        finally:
            await store.close()

    async def close(self) -> None:
        """Disconnect; a cluster that was started here ends. May be called twice."""
        await self._close_engine()
        if self._cluster is not None:
            await self._cluster.close()

    async def _close_engine(self) -> None:
        if self.engine is not None:
            await self.engine.close()


def check_engine(embedder: LazyEmbedder, *, embeds: bool) -> None:
    """Raise UsageError for what no cluster can do."""
    if embeds and not embedder.is_local:
        raise UsageError(
            "the embedder http is a service elsewhere: a cluster cannot make it faster",
            hint="Leave --engine out, or name another --model.",
        )


def _for_workers(options: RunOptions) -> RunOptions:
    """The options without what is the driver's alone."""
    return replace(options, embed=replace(options.embed, key=None))

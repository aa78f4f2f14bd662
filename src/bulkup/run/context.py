"""What all parts of a run share."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from bulkup.clock import Clock
from bulkup.events import Emit
from bulkup.manifest.manifest import Manifest
from bulkup.run.async_manifest import AsyncManifest

if TYPE_CHECKING:  # only for runs that upload
    from bulkup.run.ingest.process import IngestProcess
    from bulkup.settings.copy_options import ManifestCopyOptions

P = ParamSpec("P")
T = TypeVar("T")

RUN_ID = "BULKUP_RUN_ID"
"""The environment variable by which a server that starts a run decides its id."""

SERVER_PID = "BULKUP_SERVER_PID"
"""The environment variable that names the server that a watch ends with."""


class RunContext(NamedTuple):
    """The manifest, time, randomness and environment of one run, and where its events go."""

    run_id: str
    async_manifest: AsyncManifest
    clock: Clock
    random: Random
    emit: Emit
    environ: Mapping[str, str]
    wants_files: bool  # whether anybody reads an event for each file
    ingest: IngestProcess | None = None  # for the first batch that is uploaded, which ends it
    manifest_copy: ManifestCopyOptions | None = None  # None: the manifest is not copied

    @property
    def manifest(self) -> Manifest:
        """For the methods that `call` is given, and for calls before the event loop is busy."""
        return self.async_manifest.manifest

    def call(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]:
        """See `AsyncManifest.call`."""
        return self.async_manifest.call(function, *args, **kwargs)


def new_context(
    manifest: Manifest,
    *,
    clock: Clock,
    random: Random,
    emit: Emit,
    environ: Mapping[str, str],
    wants_files: bool,
    ingest: IngestProcess | None = None,
    manifest_copy: ManifestCopyOptions | None = None,
) -> RunContext:
    """The context of a new run."""
    write_lock = None if ingest is None else ingest.write_lock
    return RunContext(
        run_id=environ.get(RUN_ID) or secrets.token_hex(6),
        async_manifest=AsyncManifest(manifest, write_lock),
        clock=clock,
        random=random,
        emit=emit,
        environ=environ,
        wants_files=wants_files,
        ingest=ingest,
        manifest_copy=manifest_copy,
    )

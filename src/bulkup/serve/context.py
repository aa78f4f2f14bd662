"""What all requests share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from bulkup.clock import Clock
from bulkup.serve.manifest_threads import ManifestThreads
from bulkup.serve.rate_limits import RateLimits

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from bulkup.settings.table import Settings


@dataclass(frozen=True, slots=True)
class ServerContext:
    """The settings, the manifest, time and randomness of one server."""

    settings: Settings
    manifest: ManifestThreads
    clock: Clock
    random: Random
    environ: Mapping[str, str]
    rate_limits: RateLimits
    root_path: str = ""  # below which browsers see the server
    cookie: str = "bulkup"  # another for each port: browsers share cookies between ports
    one_time_codes: set[bytes] = field(default_factory=set)  # digests; each is good for one use
    closing: asyncio.Event = field(default_factory=asyncio.Event)  # set when streams have to end

    async def close(self) -> None:
        """Close what requests opened."""
        self.manifest.close()


def context_of(request: HTTPConnection) -> ServerContext:
    """The context of the server that received the request."""
    context = request.scope["state"]["context"]
    assert isinstance(context, ServerContext)
    return context

"""The connection to a Dask cluster: a scheduler somewhere, or a cluster on this machine."""

from __future__ import annotations

import asyncio
import logging
import pickle
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import dask.config
from distributed import Client, Future, LocalCluster
from distributed.comm.core import CommClosedError

from bulkup.engines.dask.remote import packed
from bulkup.errors import EngineUnusable

SCHEME: Final = "dask://"

ANSWER_SECONDS: Final = 20.0
"""How long a scheduler may take to answer."""

CONNECT_SECONDS: Final = 5.0
"""How long a scheduler that has just been started may take to listen."""

_CLOSE_SECONDS: Final = 15.0
_OBJECT: Final = re.compile(r"^in <.*?>: ")
_SILENT: Final = logging.CRITICAL + 1

Submitted = Future[Any]


class DaskCluster:
    """A client of one scheduler. For one event loop."""

    def __init__(self, client: Client, local: LocalCluster | None, name: str) -> None:
        self.name = name  # as people are told
        self._client = client
        self._local = local
        self._is_closed = False

    @classmethod
    async def open(
        cls, url: str, *, workers: int, connect_seconds: float = CONNECT_SECONDS
    ) -> DaskCluster:
        """Connect to `dask://HOST:PORT`; `dask://` starts a cluster of so many workers, with one
        slot each, on this machine. Raises EngineUnusable."""
        # What goes wrong is raised, or seen by the driver; a library does not write to the screen.
        for name in ("distributed", "distributed.client", "tornado"):
            logging.getLogger(name).setLevel(_SILENT)
        place = url.removeprefix(SCHEME).rstrip("/")
        local: LocalCluster | None = None
        if place:
            scheme = "tls" if dask.config.get("distributed.comm.require-encryption") else "tcp"
            address = f"{scheme}://{place}"
        else:
            local = await _start_local(workers)
            address = local.scheduler_address
        try:
            client = await Client(
                address,
                asynchronous=True,
                set_as_default=False,
                timeout=connect_seconds,
                name="bulkup",
            )
        except (OSError, TimeoutError, ValueError, TypeError) as error:
            raise EngineUnusable(
                f"no Dask scheduler answers at {address}: {_reason(error)}",
                hint=_hint(address, error),
            ) from error
        return cls(client, local, "this machine" if local else address)

    @property
    def is_connected(self) -> bool:
        return not self._is_closed and self._client.status == "running"

    def watch(self, on_added: Callable[[], None], on_removed: Callable[[str, bool], None]) -> None:
        """Call `on_removed(address, is_expected)` when a worker goes; what the scheduler planned
        is expected."""

        def receive(event: tuple[float, Any]) -> None:
            found = event[1]
            action = found.get("action") if isinstance(found, dict) else None
            if action == "remove-worker":
                on_removed(found["worker"], bool(found.get("expected")))
            elif action == "add-worker":
                on_added()

        self._client.subscribe_topic("all", receive)

    async def slots(self) -> dict[str, int]:
        """The slots of each worker, by address. Raises EngineUnusable."""
        try:
            return dict(await asyncio.wait_for(self._client.nthreads(), ANSWER_SECONDS))
        except (OSError, TimeoutError, RuntimeError, AttributeError) as error:
            raise self.lost_scheduler() from error

    def submit(
        self,
        work: Callable[..., Any],
        setup: Any,
        task: Any,
        *,
        name: str,
        worker: str | None,
    ) -> Submitted:
        """Have a worker do the work once: this one, or any. Raises EngineUnusable."""
        if not self.is_connected:
            raise self.lost_scheduler()
        return self._client.submit(
            pickle.loads,
            packed(work, setup, task),
            key=name,
            pure=False,
            retries=0,
            workers=None if worker is None else [worker],
            allow_other_workers=False,
        )

    def lost_scheduler(self) -> EngineUnusable:
        """The error when the scheduler does not answer any more."""
        return EngineUnusable(
            f"the Dask scheduler at {self.name} is gone",
            hint="What is done is recorded; run the command again when the scheduler is back.",
        )

    async def close(self) -> None:
        """Disconnect, and end what was started here. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        with suppress(Exception):  # else the scheduler logs an error for each event
            self._client.unsubscribe_topic("all")
        closing: list[Any] = [self._client, self._local]
        for one in closing:
            if one is not None:
                with suppress(Exception):
                    await asyncio.wait_for(one.close(), _CLOSE_SECONDS)


async def _start_local(workers: int) -> LocalCluster:
    try:
        return await LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,  # pictures are decoded in processes with limits of their own
            dashboard_address=None,
            asynchronous=True,
            silence_logs=_SILENT,
            host="127.0.0.1",
        )
    except (OSError, RuntimeError, TimeoutError) as error:
        raise EngineUnusable(f"no cluster starts on this machine: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """The error's first line, without the library's own objects in it."""
    return _OBJECT.sub("", (str(error) or type(error).__name__).partition("\n")[0])


def _hint(address: str, error: BaseException) -> str:
    """What to do about a scheduler that was not reached."""
    if isinstance(error, TypeError | FileNotFoundError | ssl.SSLError):  # before anything was sent
        return "Set distributed.comm.tls.ca-file and .client.cert and .key in Dask's configuration."
    if isinstance(error, CommClosedError) and address.startswith("tcp:"):
        return (
            "If it talks by TLS only, set distributed.comm.require-encryption and "
            "distributed.comm.tls in Dask's configuration here, too."
        )
    return "Start one (dask scheduler), and workers (dask worker ADDRESS)."


def result_of(future: Submitted) -> asyncio.Task[Any]:
    """Waits for the result; may be cancelled by itself, and nobody has to look at it."""

    async def wait() -> Any:
        return await future.result()

    waiting = asyncio.create_task(wait())
    waiting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return waiting

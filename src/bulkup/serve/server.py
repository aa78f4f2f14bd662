"""uvicorn: the socket, limits of connections and headers, the end."""

from __future__ import annotations

import asyncio
import secrets
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from random import Random
from typing import TYPE_CHECKING

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from bulkup.clock import SystemClock
from bulkup.errors import ExitCode, UsageError
from bulkup.manifest.server import ServerReader
from bulkup.serve.access import address_bucket
from bulkup.serve.app import make_app
from bulkup.serve.context import ServerContext, new_context
from bulkup.serve.middleware.hosts import HEAD_BYTES
from bulkup.serve.middleware.responses import with_headers
from bulkup.serve.problems import Problem, problem_response
from bulkup.serve.tokens import digest_of
from bulkup.serve.watching import check_folders
from bulkup.settings.serve_options import ServeOptions
from bulkup.stores.urls import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from bulkup.settings.table import Settings

HEADER_SECONDS = 10.0
"""How long a client may take for the head of a request."""
IDLE_SECONDS = 75
UNREAD_SECONDS = 120.0
"""How long a client may read nothing of a response."""
MOST_CONNECTIONS = 1000
END_SECONDS = 1
"""How long responses may continue after the server was stopped."""


class Server:
    """One server: bound when it is made, at work while `run` runs."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], *, works: bool = False
    ) -> None:
        """With `works`, runs of process and embed are started when they are due, and folders of
        the settings are watched.

        Raises UsageError when the address cannot be used, nobody could sign in, or what is to be
        watched is no folder.
        """
        options = settings.serve
        if works:
            check_folders(options.watch)
        self._is_local = is_loopback(options.host)
        if not self._is_local:
            _require_tokens(settings)
        self._socket = bind(options)
        self._port: int = self._socket.getsockname()[1]
        try:
            self._context = new_context(
                settings,
                clock=SystemClock(),
                random=Random(),  # noqa: S311 - for jitter
                environ=environ,
                cookie=f"bulkup-{self._port}",
                works=works,
            )
        except BaseException:
            self._socket.close()
            raise
        self._server = _Uvicorn(_config(self._context))

    @property
    def url(self) -> str:
        """Where browsers on this machine reach it."""
        host = self._context.settings.serve.host
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{self._port}{self._context.root_path}/"

    @property
    def listeners(self) -> int:
        """How many clients listen to events."""
        return len(self._context.live)

    def sign_in_link(self) -> str | None:
        """A link that signs a browser in, once; None where others could see the server, too."""
        if not self._is_local:
            return None
        code = secrets.token_urlsafe(24)
        self._context.one_time_codes.add(digest_of(code))
        return f"{self.url}sign-in?code={code}"

    def stop(self, reason: str, exit_code: ExitCode) -> None:
        """End soon: streams at once, other responses within a second."""
        self._context.live.stop()
        self._context.child_runs.stop()
        self._server.should_exit = True

    async def run(self) -> None:
        """Serve until `stop` is called."""
        with self._socket:
            await self._server.serve(sockets=[self._socket])


def _config(context: ServerContext) -> uvicorn.Config:
    proxies = list(context.settings.serve.proxies)
    return uvicorn.Config(
        make_app(context),
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=END_SECONDS,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )


class _Uvicorn(uvicorn.Server):
    """A server that leaves signals to its caller."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class BoundedProtocol(H11Protocol):
    """Closes connections on which the head of a request does not arrive in time, or whose client
    does not read."""

    _head_timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always one of TCP
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self.app = refusing(self.app)
        self._head_timer = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._cancel_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request as other errors are answered. uvicorn calls this while it
        handles h11's error."""
        error = sys.exception()
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        status, detail = (
            (431, "the head of the request is too large") if hint == 431 else (400, msg)
        )
        self.transport.write(self._response(Problem(status, detail)))
        self.transport.close()

    def _response(self, problem: Problem) -> bytes:
        response = problem_response(problem, "")
        headers = [*response.raw_headers, (b"connection", b"close")]
        context: ServerContext | None = self.app_state.get("context")
        if context is not None:
            headers = with_headers(headers, context, address_bucket(self.client))
        sent = self.conn.send(h11.Response(status_code=problem.status, headers=headers)) or b""
        sent += self.conn.send(h11.Data(data=bytes(response.body))) or b""
        return sent + (self.conn.send(h11.EndOfMessage()) or b"")

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        self._cancel_unread_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_timer = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._cancel_unread_timer()
        super().resume_writing()

    def _cancel_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _cancel_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()


def refusing(app: ASGIApp) -> ASGIApp:
    """The application for a connection beyond the bound: it says that there are too many."""

    async def refused(scope: Scope, receive: Receive, send: Send) -> None:
        problem = Problem(
            503, "too many connections", headers={"Retry-After": "5", "Connection": "close"}
        )
        await app({**scope, "state": {**scope["state"], "refusal": problem}}, receive, send)

    return refused


def bind(options: ServeOptions) -> socket.socket:
    """The listening socket. Raises UsageError."""
    host = "127.0.0.1" if options.host == "localhost" else options.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.create_server((host, options.port), family=family, backlog=1024)
    except OSError as error:
        raise UsageError(
            f"cannot listen at {options.host}, port {options.port}: {error.strerror or error}",
            hint="Name another --port or --host.",
        ) from error
    found.setblocking(False)
    with suppress(OSError):  # small responses leave at once
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _require_tokens(settings: Settings) -> None:
    import time

    with ServerReader(settings.manifest) as reader:
        tokens = reader.tokens.all(now=time.time())
    if not any(not one.is_browser for one in tokens):
        raise UsageError(
            f"{settings.serve.host} is reached from other machines, and there is no token yet",
            hint="Make one first: bulkup token add NAME --role viewer|uploader|operator",
        )

"""pyreqwest, for all requests that the connection pool does not take.

What is known of pyreqwest 0.15 and relied on here (tests/unit/stores/s3/test_transport.py): a URL
whose path holds only unreserved and percent-encoded characters reaches the server unchanged, except
for the segments '.' and '..'; bodies and views are not copied, and are released once nothing more
is sent from them, which may be after `send` has returned; NO_PROXY is obeyed in few of its forms,
so that it is left to `bulkup.proxies`; an empty body is sent without Content-Length, which AWS
refuses; `read_timeout` runs while the body is still being sent, so that it must not be set for
uploads.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from urllib.parse import urlsplit

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.response import BaseResponse, ResponseBodyReader

from bulkup import __version__
from bulkup.errors import DestinationUnreachable, StoreRefused, StoreUnreachable
from bulkup.model import Body
from bulkup.redaction import foreign_text
from bulkup.stores.s3.bodies import Pace, Steps, step_bytes
from bulkup.stores.s3.connections.tls import split_pem
from bulkup.stores.s3.http1 import Response
from bulkup.stores.unsent import IS_KNOWN, Movement

AGENT = f"bulkup/{__version__}"
STALL_SECONDS = 60.0
"""A connection on which nothing was acknowledged, or nothing came, for so long is closed. A body
that moves may take as long as it needs: a slow uplink is no fault."""
_CONNECT_TIMEOUT = timedelta(seconds=10)
_IDLE_TIMEOUT = timedelta(seconds=20)  # less than the keep-alive limit of common servers
_CHUNK_BYTES = 1024 * 1024

_URL_IN_MESSAGE = r"\s*(?:for )?url \([^)]*\)|https?://\S+"


class ReqwestClient:
    """Requests to one address. Connects at the first one."""

    def __init__(
        self,
        ca_pem: bytes | None,
        *,
        has_tls: bool,
        proxy: str | None,
        bytes_per_second: int | None = None,
    ) -> None:
        """No body is sent or received faster than at `bytes_per_second`, which may be changed."""
        self._ca_pem = ca_pem
        self._proxy = proxy
        self.bytes_per_second = bytes_per_second
        self._has_tls = has_tls
        self._movement: Movement | None = None
        self._sender: Client | None = None
        self._reader: Client | None = None
        self._opened = AsyncExitStack()

    async def request(
        self, method: str, url: str, headers: dict[str, str], body: Body, limit_seconds: float
    ) -> Response:
        """Send one request; its response, read to the end. Raises StoreUnreachable, and
        StoreRefused for a header that cannot be sent.

        Gives up when for `limit_seconds` nothing was acknowledged of what is sent to this address,
        no step of the body was taken, and no response came. So one connection that is dead is given
        up when the others have no more to send.
        """
        if self._movement is None:
            self._movement = Movement(_port(self._proxy or url))
        try:
            async with asyncio.timeout(limit_seconds) as limit:
                steps = Steps(body, limit, limit_seconds, self._movement, self.bytes_per_second)
                try:
                    return await self._request(method, url, headers, body, steps)
                finally:
                    steps.close()
        except TimeoutError as error:
            raise StoreUnreachable("no answer came in time", is_stalled=True) from error

    async def _request(
        self, method: str, url: str, headers: dict[str, str], body: Body, steps: Steps
    ) -> Response:
        try:
            if self._sender is None:
                self._sender = self._open(reading=False)
            request = self._sender.request(method, url).headers(headers)
            if len(body) > steps.step_bytes and (self.bytes_per_second or not IS_KNOWN):
                request = request.header("content-length", str(len(body)))
                request = request.body_stream(steps)
            elif body:
                request = request.body_bytes(body)
            elif method in ("PUT", "POST"):
                request = request.header("content-length", "0")
            response = await request.build().send()
            return _response(response, bytes(await response.bytes()))
        except PyreqwestError as error:
            raise unreachable(error, self._proxy) from error
        except ValueError as error:
            raise unsendable(headers) from error

    @asynccontextmanager
    async def get(
        self, url: str, headers: dict[str, str]
    ) -> AsyncIterator[tuple[Response, AsyncIterator[bytes]]]:
        """Send one GET; its response, and the body of a success in chunks of 1 MiB at most.

        The response of a refusal has its body, and no chunks. Raises StoreUnreachable.
        """
        async with AsyncExitStack() as stack:
            try:
                if self._reader is None:
                    self._reader = self._open(reading=True)
                request = self._reader.get(url).headers(headers).build_streamed()
                response = await stack.enter_async_context(request)
                body = b"" if response.status < 300 else bytes(await response.bytes())
            except PyreqwestError as error:
                raise unreachable(error, self._proxy) from error
            except ValueError as error:
                raise unsendable(headers) from error
            yield _response(response, body), _chunks(response.body_reader, self.bytes_per_second)

    async def read(self, url: str, headers: dict[str, str], most_bytes: int) -> Response | None:
        """Send one GET; its response with its body, None when that has more than `most_bytes`.
        Raises as `get` does."""
        body = bytearray()
        async with self.get(url, headers) as (response, chunks):
            if response.status < 300:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > most_bytes:
                        return None
                response.body = bytes(body)
        return response

    async def close(self) -> None:
        """Close the connections. May be called twice; a later request opens new ones."""
        self._sender = self._reader = None
        await self._opened.aclose()

    def _open(self, *, reading: bool) -> Client:
        builder = _client_builder(self._ca_pem, reading=reading, has_tls=self._has_tls)
        if self._proxy is not None:
            try:
                builder = builder.proxy(ProxyBuilder.all(self._proxy))
            except (PyreqwestError, ValueError) as error:
                raise DestinationUnreachable(
                    "a proxy in the environment has no usable URL",
                    hint="See HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.",
                ) from error
        try:
            client = builder.build()
        except RuntimeError as error:  # its threads need descriptors and memory of this machine
            raise StoreUnreachable(
                foreign_text(str(error)), hint="Raise the limit of open files: ulimit -n 1024"
            ) from error
        self._opened.push_async_callback(client.close)
        return client


def _port(url: str) -> int:
    """0 for a proxy's URL that is none: opening the client says so."""
    with suppress(ValueError):
        parts = urlsplit(url)
        return parts.port or (443 if parts.scheme == "https" else 80)
    return 0


def _client_builder(ca_pem: bytes | None, *, reading: bool, has_tls: bool) -> ClientBuilder:
    """For a client that changes no response. One for `reading` gives up on a stalled body."""
    builder = (
        ClientBuilder()
        .user_agent(AGENT)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .follow_redirects(False)
        .referer(False)
        .http1_only()
        .no_proxy()
        .connect_timeout(_CONNECT_TIMEOUT)
        .pool_idle_timeout(_IDLE_TIMEOUT)
    )
    if reading:
        builder = builder.read_timeout(timedelta(seconds=STALL_SECONDS))
    if not has_tls:
        # There is neither TLS nor a proxy: reading the system's certificates would take 5 to 25 ms.
        return builder.danger_accept_invalid_certs(True)
    for certificate in split_pem(ca_pem or b""):
        builder = builder.add_root_certificate_pem(certificate)
    return builder


def _response(response: BaseResponse, body: bytes) -> Response:
    lines = [""]
    for name in response.headers:
        with suppress(ValueError):  # a value that is no ASCII text
            lines.append(f"{name}: {response.get_header(name)}")
    return Response(response.status, "\r\n".join(lines), body)


async def _chunks(reader: ResponseBodyReader, bytes_per_second: int | None) -> AsyncIterator[bytes]:
    most_bytes = step_bytes(_CHUNK_BYTES, bytes_per_second)
    pace, received = Pace(bytes_per_second), 0
    try:
        while (chunk := await reader.read(most_bytes)) is not None:
            received += len(chunk)
            await pace.wait(received)
            yield bytes(chunk)
    except PyreqwestError as error:
        raise unreachable(error) from error


def unsendable(headers: Mapping[str, str]) -> StoreRefused:
    """The error for headers that pyreqwest refuses. Its own message quotes the value."""
    odd = [name for name, text in headers.items() if not (text.isascii() and text.isprintable())]
    return StoreRefused(f"the header {', '.join(odd) or 'of a request'} cannot be sent")


_IN_OTHER_WORDS = (
    ("message completed", "the server closed the connection before it had answered"),
    ("end of file before message length", "the server closed the connection within its answer"),
    ("reset by peer", "the server broke off the connection before it had answered"),
    ("Broken pipe", "the server broke off the connection before it had answered"),
)
"""What the library and the system call the end of a connection, and what is said of it."""


def unreachable(error: PyreqwestError, proxy: str | None = None) -> StoreUnreachable:
    """What went wrong below HTTP, in words, without the URL. `proxy` is the one that was asked."""
    details = getattr(error, "details", None) or {}
    causes = [cause["message"] for cause in details.get("causes") or []]
    words = [re.sub(_URL_IN_MESSAGE, "", text) for text in (error.message, *causes)]
    text = foreign_text(": ".join(dict.fromkeys(word for word in words if word)))
    hint = None
    for found, said in _IN_OTHER_WORDS:
        if found in text:
            return StoreUnreachable(said)
    if "InvalidContentType" in text or "InvalidMessage" in text:
        text = "the server does not speak TLS"
        hint = "Use http:// in --endpoint-url, or the server's port for https."
    elif "not valid for name" in text or "NotValidForName" in text:
        hint = "Correct --endpoint-url; for a bucket with dots, use --addressing-style path."
    elif "certificate" in text or "UnknownIssuer" in text:
        hint = "Name the endpoint's certificate authority with --ca-bundle."
    elif "dns" in text.lower() or "Connect" in type(error).__name__:
        hint = "Check --endpoint-url, the network, and HTTP_PROXY/HTTPS_PROXY."
        if proxy is not None:
            # Only the place: a proxy's URL may hold a password.
            place = urlsplit(proxy).netloc.rpartition("@")[2]
            text = re.sub(r" \(os error \d+\)$", "", text) + f" (proxy {place})"
            hint = "Check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, and the network."
    return StoreUnreachable(text, hint=hint)

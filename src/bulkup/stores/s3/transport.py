"""Signed requests to one bucket, without an SDK in between.

Small requests go through the connection pool, and without TLS also whole bodies of some MiB; all
others go through pyreqwest.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from bulkup.clock import Clock
from bulkup.errors import BulkupError, StoreBroken, StoreUnreachable
from bulkup.model import Body
from bulkup.proxies import proxy_for
from bulkup.stores.s3.connections.connection import (
    AnswerTooLarge,
    ConnectionBroken,
    ConnectionStalled,
)
from bulkup.stores.s3.connections.pool import ConnectionPool, NoConnection, pool_for
from bulkup.stores.s3.credentials import AskCredentials, Credentials
from bulkup.stores.s3.endpoint import Address, require_addressable
from bulkup.stores.s3.errors import OPTIONS, Refusal, classify
from bulkup.stores.s3.headers import etag_of, require_no_page
from bulkup.stores.s3.http1 import BODY_LIMIT_BYTES, Response
from bulkup.stores.s3.request_signer import S3RequestSigner
from bulkup.stores.s3.reqwest_client import AGENT, STALL_SECONDS, ReqwestClient
from bulkup.stores.s3.session import Session, Sessions
from bulkup.stores.s3.sigv4 import EMPTY_SHA256, encode_path, encode_query
from bulkup.stores.store import too_large

PATIENT_SECONDS = 900.0
"""For what the endpoint does by itself before it responds: copying, joining parts."""
_HEAD_BYTES = 1 << 13
_NONE: Mapping[str, str] = MappingProxyType({})
_SMALL_BYTES = 256 * 1024
_WHOLE_BYTES = 16 * 1024 * 1024
"""Without TLS the pool takes such bodies, too: 400 photos took 2 to 6 % less time than through
pyreqwest, and 30 MB less memory. To encrypt them is better done in its threads (16 % more time)."""
_REFUSAL_BYTES = 1 << 16  # the document of a refusal may have so many, whatever is expected


class _Request(NamedTuple):
    method: str
    key: str | None
    headers: dict[str, str]
    query: str
    body: Body
    payload_sha256: str
    limit_seconds: float
    most_bytes: int | None = None  # of a response that is known to be small
    into: memoryview | None = None  # where the body of a success may be written to

    @property
    def has_no_body(self) -> bool:
        """Whether the response has no body, or it is written elsewhere."""
        return self.method == "HEAD" or self.into is not None


class S3Transport:
    """Requests to one bucket. For use from one event loop.

    A request that is refused because credentials expired, or because the bucket is in another AWS
    region, is sent once more where that can help (see `Sessions.recover`); otherwise nothing is
    retried.
    """

    def __init__(
        self,
        bucket: str,
        credentials: Credentials | AskCredentials,
        *,
        ca_pem: bytes | None,
        clock: Clock,
        uses_pool: bool = True,
    ) -> None:
        """Without `uses_pool` pyreqwest sends everything. Raises UsageError."""
        self.bucket = bucket
        self._sessions = Sessions(bucket, credentials, clock)
        self._ca_pem = ca_pem
        self._clock = clock
        self._uses_pool = uses_pool
        self._address: Address | None = None  # that pool and client are for
        self._pool: ConnectionPool | None = None
        self._bytes_per_second: int | None = None
        self._client = ReqwestClient(ca_pem, has_tls=True, proxy=None)
        self._request_signer: S3RequestSigner | None = None

    @property
    def is_aws(self) -> bool:
        """Whether this is AWS itself. False also while no credentials are known."""
        session = self._sessions.current
        return session is not None and session.address.is_aws

    @property
    def address(self) -> Address | None:
        """The bucket's address; None while no credentials are known."""
        session = self._sessions.current
        return None if session is None else session.address

    def limit_bodies(self, bytes_per_second: int) -> None:
        """Send and receive no body of more than some KiB faster."""
        self._bytes_per_second = self._client.bytes_per_second = bytes_per_second

    async def identify(self) -> Credentials:
        """The credentials, with the region and endpoint in use. Makes no request to the store.
        Raises CredentialsRefused when there are no keys."""
        session = await self._sessions.get()
        return replace(
            session.credentials, region=session.region, endpoint_url=session.address.origin
        )

    async def send(
        self,
        method: str,
        key: str | None,
        headers: dict[str, str],
        *,
        query: str = "",
        body: Body = b"",
        payload_sha256: str = EMPTY_SHA256,
        limit_seconds: float = STALL_SECONDS,
    ) -> Response:
        """Send one request for `key`, or for the bucket; the response of a success.

        `headers` (lower-case names) are changed by the signing. Raises the error for the endpoint's
        refusal (see errors.py), and StoreUnreachable.
        """
        return await self._send(
            _Request(method, key, headers, query, body, payload_sha256, limit_seconds)
        )

    async def read(self, key: str, most_bytes: int) -> bytes:
        """GET an object. Raises as `send` does, and ObjectDamaged for one of more than
        `most_bytes`, which are _REFUSAL_BYTES at least."""
        most_bytes = max(most_bytes, _REFUSAL_BYTES)
        request = _Request("GET", key, {}, "", b"", EMPTY_SHA256, STALL_SECONDS, most_bytes)
        return (await self._send(request)).body

    async def read_into(self, key: str, buffer: memoryview) -> int:
        """GET an object into a buffer; its size in bytes. Raises as `read` does, for an object
        of more bytes than the buffer has."""
        most_bytes = max(len(buffer), _REFUSAL_BYTES)
        request = _Request("GET", key, {}, "", b"", EMPTY_SHA256, STALL_SECONDS, most_bytes, buffer)
        response = await self._send(request)
        if response.filled_bytes is not None:
            return response.filled_bytes
        size_bytes = len(response.body)
        if size_bytes > len(buffer):
            raise too_large(key)
        buffer[:size_bytes] = response.body
        return size_bytes

    async def _send(self, request: _Request) -> Response:
        _, key, headers, *_ = request
        session = await self._sessions.get()
        response = await self._exchange(session, request)
        if response.status < 300:
            require_no_page(response, has_no_body=request.has_no_body)
            return response
        error = self._error(response, key, headers)
        try:
            if not await self._sessions.recover(error, session):
                raise error
        finally:
            del error  # it refers to this frame: the cycle would keep the body in memory
        response = await self._exchange(await self._sessions.get(), request)
        if response.status < 300:
            require_no_page(response, has_no_body=request.has_no_body)
            return response
        raise self._error(response, key, headers)

    async def get_bucket(self, query: Mapping[str, str]) -> Response:
        """GET the bucket with this query. Raises as `send` does."""
        return await self.send("GET", None, {}, query=encode_query(query))

    def request_signer(self, *, checksums: bool, conditional: bool) -> S3RequestSigner | None:
        """Signs PUT requests elsewhere, for `send_signed`: the same object as long as they stay the
        same. None while no credentials are known, and without a pool."""
        session = self._sessions.current
        if session is None or self._sessions.is_due or self._connect(session) is None:
            return None
        signer = S3RequestSigner(
            session.credentials, session.region, session.address, AGENT, checksums, conditional
        )
        if signer != self._request_signer:
            self._request_signer = signer
        return self._request_signer

    @property
    def pooled_bytes(self) -> int:
        """The pool takes bodies of up to this size."""
        is_plain = self._pool is not None and not self._pool.has_tls
        return _WHOLE_BYTES if is_plain and self._bytes_per_second is None else _SMALL_BYTES

    def connect_ahead(self, count: int) -> None:
        """Open connections for so many bodies that the pool takes, once it is known where to."""
        session = self._sessions.current
        if session is not None and (pool := self._connect(session)) is not None:
            pool.connect_ahead(count)

    async def send_signed(self, key: str, request: Body, *, conditional: bool) -> Response | None:
        """Send a request that a request signer made; the response of a success. None when `send`
        must be used instead: nothing was stored. Raises as `send` does."""
        session = self._sessions.current
        if session is None or self._sessions.is_due or (pool := self._connect(session)) is None:
            return None
        try:
            response = await pool.send(request, STALL_SECONDS)
        except ConnectionBroken as error:
            raise _unreachable(error) from error
        except NoConnection:
            return None
        if response.status < 300:
            return response
        head = bytes(request[:_HEAD_BYTES])
        names = [name for name in OPTIONS if f"\r\n{name}:".encode() in head]
        refusal = self._error(response, key, [*names, *(["if-none-match"] if conditional else [])])
        used = session if session.has_signed(request) else None
        if await self._sessions.recover(refusal, used):
            return None
        raise refusal

    async def stream(self, key: str, extra: Mapping[str, str] = _NONE) -> AsyncIterator[bytes]:
        """The object's bytes in chunks of 1 MiB at most; with a `range` header among `extra`, those
        that it names. Raises as `send` does, and StoreBroken when the range is not honoured."""
        require_addressable(key)
        for is_last in (False, True):
            session = await self._sessions.get()
            self._connect(session)
            headers = dict(extra)
            request = _Request("GET", key, headers, "", b"", EMPTY_SHA256, 0.0)
            url = session.address.origin + _sign(session, request)
            async with self._client.get(url, headers) as (response, chunks):
                if response.status < 300:
                    require_no_page(response, has_no_body=True)
                    if "range" in extra and response.status != 206:
                        raise StoreBroken(f"key {key!r}: the endpoint sends more than a range")
                    async for chunk in chunks:
                        yield chunk
                    return
            error = self._error(response, key, headers)
            if is_last or not await self._sessions.recover(error, session):
                raise error

    async def presign(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        seconds: int,
    ) -> tuple[str, float]:
        """A URL with which anybody may make this request, and when it expires. Makes no request.

        Raises StoreRefused for a key that cannot be addressed, and CredentialsRefused.
        """
        require_addressable(key)
        session = await self._sessions.get()
        path = f"{session.address.path_prefix}/{encode_path(key)}"
        signed = session.signer.presign(method, path, query, headers, seconds=seconds)
        return f"{session.address.origin}{path}?{signed}", int(self._clock.now()) + seconds

    async def send_presigned(
        self, method: str, url: str, headers: Mapping[str, str], body: Body
    ) -> Response:
        """Make a request by a URL that `presign` made; the response, of whatever status."""
        self._connect(await self._sessions.get())
        return await self._client.request(method, url, dict(headers), body, STALL_SECONDS)

    async def close(self) -> None:
        """Close the connections. May be called twice; a later request opens new ones."""
        if self._pool is not None:
            self._pool.close()
        await self._client.close()

    def etag_of(self, response: Response, key: str) -> str | None:
        """As `headers.etag_of`; raises the error of a document <Error>, too."""
        try:
            return etag_of(response)
        except StoreBroken as error:
            if b"<Error" in response.body:
                raise self.failure(response.body, key) from error
            raise

    def failure(self, body: bytes, key: str) -> BulkupError:
        """The error for a document <Error> that came with status 200 (CopyObject and others)."""
        return self._error(Response(500, body=body), key, {})

    async def _exchange(self, session: Session, request: _Request) -> Response:
        """One request, one response of whatever status. The hot path: every line here costs."""
        path = _sign(session, request)
        pool = self._connect(session)
        method, key, headers, _, body, _, limit_seconds, most_bytes, into = request
        is_small = most_bytes is not None
        if pool is not None and self._is_for(pool, request):
            most = most_bytes or BODY_LIMIT_BYTES
            try:
                return await pool.request(method, path, headers, body, limit_seconds, most, into)
            except AnswerTooLarge as error:
                if is_small:
                    raise too_large(key) from error
                raise _unreachable(error) from error
            except ConnectionBroken as error:
                raise _unreachable(error) from error
            except NoConnection:
                pass  # pyreqwest has more ways to connect, and better error messages
        url = session.address.origin + path
        if most_bytes is not None:
            response = await self._client.read(url, headers, most_bytes)
            if response is None:
                raise too_large(key)
            return response
        return await self._client.request(method, url, headers, body, limit_seconds)

    def _is_for(self, pool: ConnectionPool, request: _Request) -> bool:
        """Whether body and response are small enough, and the response comes soon."""
        method, key, *_, most_bytes, _ = request
        is_limited = self._bytes_per_second is not None
        if most_bytes is not None:
            return not is_limited
        if method == "PUT":  # an empty one may be a copy, which takes its time
            return 0 < len(request.body) <= self.pooled_bytes
        return method == "HEAD" or (method == "GET" and key is None)

    def _connect(self, session: Session) -> ConnectionPool | None:
        """The pool for the session's address; None when all requests are pyreqwest's."""
        address = session.address
        if address is not self._address:
            self._address = address
            if self._pool is not None:
                self._pool.close()
            pool = pool_for(address.origin, address.host, AGENT, self._ca_pem)
            has_tls = pool is None or pool.has_tls  # a proxy may be reached over TLS, too
            proxy = proxy_for(address.origin, os.environ)
            self._client = ReqwestClient(
                self._ca_pem,
                has_tls=has_tls,
                proxy=proxy,
                bytes_per_second=self._bytes_per_second,
            )
            self._pool = pool if self._uses_pool else None
        return self._pool

    def _error(self, response: Response, key: str | None, headers: Collection[str]) -> BulkupError:
        subject = f"bucket {self.bucket!r}" if key is None else f"key {key!r}"
        conditional = "if-none-match" in headers
        secrets, now = self._sessions.secrets, self._clock.now()
        return classify(Refusal(response, subject, now, conditional, secrets, headers))


def _sign(session: Session, request: _Request) -> str:
    """Sign the request's headers; its path and query."""
    prefix, key, query = session.address.path_prefix, request.key, request.query
    path = (prefix or "/") if key is None else f"{prefix}/{encode_path(key)}"
    session.signer.sign(request.method, path, query, request.headers, request.payload_sha256)
    return f"{path}?{query}" if query else path


def _unreachable(error: ConnectionBroken) -> StoreUnreachable:
    return StoreUnreachable(str(error), is_stalled=isinstance(error, ConnectionStalled))

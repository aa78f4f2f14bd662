"""Signed requests to one bucket, without an SDK in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from bulkup.clock import Clock
from bulkup.errors import BulkupError, StoreBroken
from bulkup.model import Body
from bulkup.stores.s3.connections.clients import AddressClients, S3Request, unreachable
from bulkup.stores.s3.connections.connection import ConnectionBroken
from bulkup.stores.s3.connections.pool import NoConnection
from bulkup.stores.s3.credentials import AskCredentials, Credentials
from bulkup.stores.s3.endpoint import Address, require_addressable
from bulkup.stores.s3.errors import OPTIONS, Refusal, classify
from bulkup.stores.s3.headers import etag_of, require_no_page
from bulkup.stores.s3.http1 import Response
from bulkup.stores.s3.request_signer import S3RequestSigner
from bulkup.stores.s3.reqwest_client import AGENT, STALL_SECONDS
from bulkup.stores.s3.session import Session, Sessions
from bulkup.stores.s3.sigv4 import EMPTY_SHA256, encode_path, encode_query
from bulkup.stores.store import too_large

PATIENT_SECONDS = 900.0
"""For what the endpoint does by itself before it responds: copying, joining parts."""
_HEAD_BYTES = 1 << 13
_NONE: Mapping[str, str] = MappingProxyType({})
_REFUSAL_BYTES = 1 << 16  # the document of a refusal may have so many, whatever is expected


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
        self._clients = AddressClients(ca_pem, uses_pool=uses_pool)
        self._clock = clock
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
        self._clients.limit_bodies(bytes_per_second)

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
            S3Request(method, key, headers, query, body, payload_sha256, limit_seconds)
        )

    async def read(self, key: str, most_bytes: int) -> bytes:
        """GET an object. Raises as `send` does, and ObjectDamaged for one of more than
        `most_bytes`, which are _REFUSAL_BYTES at least."""
        most_bytes = max(most_bytes, _REFUSAL_BYTES)
        request = S3Request("GET", key, {}, "", b"", EMPTY_SHA256, STALL_SECONDS, most_bytes)
        return (await self._send(request)).body

    async def read_into(self, key: str, buffer: memoryview) -> int:
        """GET an object into a buffer; its size in bytes. Raises as `read` does, for an object
        of more bytes than the buffer has."""
        most_bytes = max(len(buffer), _REFUSAL_BYTES)
        request = S3Request(
            "GET", key, {}, "", b"", EMPTY_SHA256, STALL_SECONDS, most_bytes, buffer
        )
        response = await self._send(request)
        if response.filled_bytes is not None:
            return response.filled_bytes
        size_bytes = len(response.body)
        if size_bytes > len(buffer):
            raise too_large(key)
        buffer[:size_bytes] = response.body
        return size_bytes

    async def _send(self, request: S3Request) -> Response:
        _, key, headers, *_ = request
        session = await self._sessions.get()
        response = await self._clients.exchange(session.address, _sign(session, request), request)
        if response.status < 300:
            require_no_page(response, has_no_body=request.has_no_body)
            return response
        error = self._error(response, key, headers)
        try:
            if not await self._sessions.recover(error, session):
                raise error
        finally:
            del error  # it refers to this frame: the cycle would keep the body in memory
        session = await self._sessions.get()
        response = await self._clients.exchange(session.address, _sign(session, request), request)
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
        if (
            session is None
            or self._sessions.is_due
            or self._clients.connect(session.address) is None
        ):
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
        return self._clients.pooled_bytes

    def connect_ahead(self, count: int) -> None:
        """Open connections for so many bodies that the pool takes, once it is known where to."""
        session = self._sessions.current
        if session is not None and (pool := self._clients.connect(session.address)) is not None:
            pool.connect_ahead(count)

    async def send_signed(self, key: str, request: Body, *, conditional: bool) -> Response | None:
        """Send a request that a request signer made; the response of a success. None when `send`
        must be used instead: nothing was stored. Raises as `send` does."""
        session = self._sessions.current
        if (
            session is None
            or self._sessions.is_due
            or (pool := self._clients.connect(session.address)) is None
        ):
            return None
        try:
            response = await pool.send(request, STALL_SECONDS)
        except ConnectionBroken as error:
            raise unreachable(error) from error
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
            self._clients.connect(session.address)
            headers = dict(extra)
            request = S3Request("GET", key, headers, "", b"", EMPTY_SHA256, 0.0)
            url = session.address.origin + _sign(session, request)
            async with self._clients.client.get(url, headers) as (response, chunks):
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
        url = session.presign(method, key, query, headers, seconds=seconds)
        return url, int(self._clock.now()) + seconds

    async def send_presigned(
        self, method: str, url: str, headers: Mapping[str, str], body: Body
    ) -> Response:
        """Make a request by a URL that `presign` made; the response, of whatever status."""
        self._clients.connect((await self._sessions.get()).address)
        return await self._clients.client.request(method, url, dict(headers), body, STALL_SECONDS)

    async def close(self) -> None:
        """Close the connections. May be called twice; a later request opens new ones."""
        await self._clients.close()

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

    def _error(self, response: Response, key: str | None, headers: Collection[str]) -> BulkupError:
        subject = f"bucket {self.bucket!r}" if key is None else f"key {key!r}"
        conditional = "if-none-match" in headers
        secrets, now = self._sessions.secrets, self._clock.now()
        return classify(Refusal(response, subject, now, conditional, secrets, headers))


def _sign(session: Session, request: S3Request) -> str:
    """Sign the request's headers; its path and query."""
    prefix, key, query = session.address.path_prefix, request.key, request.query
    path = (prefix or "/") if key is None else f"{prefix}/{encode_path(key)}"
    session.signer.sign(request.method, path, query, request.headers, request.payload_sha256)
    return f"{path}?{query}" if query else path

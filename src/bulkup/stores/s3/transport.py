"""The data plane: signed requests over pyreqwest, without an SDK in between.

What was found out about pyreqwest 0.15 and is relied on here (tests/unit/stores/test_wire.py):
a URL whose path holds only unreserved and percent-encoded characters reaches the server as it is,
but for the segments '.' and '..'; bodies are not copied, views neither, and are let go of once
nothing is sent from them any more, which may be after `send` has returned; HTTP_PROXY, HTTPS_PROXY
and NO_PROXY are obeyed; an empty body is sent without Content-Length, which AWS refuses; and
`read_timeout` runs while the body is still being sent, so that it may not be set for uploads.
Small requests do without it: see lanes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

from pyreqwest.client import Client
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.response import Response

from bulkup.clock import Clock
from bulkup.errors import (
    BulkupError,
    CredentialsExpired,
    StoreRefused,
    StoreUnreachable,
    WrongRegion,
)
from bulkup.model import Body
from bulkup.stores.s3.connection_pool import (
    ConnectionBroken,
    ConnectionPool,
    NoConnection,
    lanes_to,
)
from bulkup.stores.s3.credentials import AskAccount, Credentials
from bulkup.stores.s3.endpoint import Address, locate, require_addressable
from bulkup.stores.s3.errors import Refusal, classify
from bulkup.stores.s3.heads import fixed_lines
from bulkup.stores.s3.http1 import Answer
from bulkup.stores.s3.request_signer import S3RequestSigner
from bulkup.stores.s3.reqwest_client import AGENT, STALL_TIMEOUT, build_client, unreachable
from bulkup.stores.s3.sigv4 import EMPTY_SHA256, Signer, encode_path

PATIENT_TIMEOUT = timedelta(minutes=15)
"""For what the endpoint does by itself before it answers: copying, joining parts."""
_SMALL_BYTES = 256 * 1024
_SLOWEST_BYTES_PER_SECOND = 16 * 1024
"""A larger body may take a minute and as long as it needs at this rate."""
_CHUNK_BYTES = 1024 * 1024


class S3Transport:
    """Requests to one bucket. For use from one event loop.

    Follows AWS to the bucket's region where the user named none, and fetches renewed credentials
    once when the endpoint calls the present ones expired. Never tries again otherwise.
    """

    def __init__(
        self,
        bucket: str,
        credentials: Credentials | AskAccount,
        *,
        ca_pem: bytes | None,
        clock: Clock,
    ) -> None:
        self.bucket = bucket
        self._ask_account = None if isinstance(credentials, Credentials) else credentials
        self._ca_pem = ca_pem
        self._clock = clock
        self._renewing = asyncio.Lock()
        self._renew_at: float = 0.0  # 0: no account yet
        self._credentials: Credentials | None = None
        self._address = Address("", "", "", is_aws=False)
        self._client: Client | None = None
        self._pool: ConnectionPool | None = None
        self._reader: Client | None = None
        self._request_signer: tuple[tuple[bool, bool], S3RequestSigner] | None = None
        if isinstance(credentials, Credentials):
            self._settle(credentials)

    @property
    def is_aws(self) -> bool:
        """Is this AWS itself? False also as long as nobody knows."""
        return self._address.is_aws

    async def identify(self) -> Credentials:
        """Who asks, and in which region, as far as it is known by now. Makes no request to the
        store. Raises CredentialsRefused where there are no keys."""
        if self._clock.now() >= self._renew_at:
            await self._renew()
        assert self._credentials is not None
        return replace(self._credentials, region=self._region, endpoint_url=self._address.origin)

    async def send(
        self,
        method: str,
        key: str | None,
        headers: dict[str, str],
        *,
        query: str = "",
        body: Body = b"",
        payload_sha256: str = EMPTY_SHA256,
        answer_timeout: timedelta = STALL_TIMEOUT,
    ) -> Response | Answer:
        """Send one request for `key`, or for the bucket; the answer is a success, read to its end.

        `headers` (lower-case names) are changed by the signing. Raises what the endpoint's refusal
        means (see errors.py), and StoreUnreachable.
        """
        response = await self._exchange(
            method, key, headers, query, body, payload_sha256, answer_timeout
        )
        if response.status < 300:
            return response
        error = self._error(response, bytes(await response.bytes()), key, headers)
        try:
            if not await self._mended(error):
                raise error
        finally:
            del error  # it refers to this frame: as a cycle the two would hold the body for long
        response = await self._exchange(
            method, key, headers, query, body, payload_sha256, answer_timeout
        )
        if response.status < 300:
            return response
        raise self._error(response, bytes(await response.bytes()), key, headers)

    def request_signer(self, *, checksums: bool, conditional: bool) -> S3RequestSigner | None:
        """What makes PUT requests ready elsewhere, for `send_signed`: the same object as long as
        they will be the same. None as long as no account is known, and where there are no lanes."""
        credentials = self._credentials
        if credentials is None or self._pool is None or self._clock.now() >= self._renew_at:
            return None
        wishes = (checksums, conditional)
        if self._request_signer is None or self._request_signer[0] != wishes:
            found = S3RequestSigner(
                fixed=fixed_lines(self._address.host, AGENT),
                path_prefix=self._address.path_prefix,
                host=self._address.host,
                access_key=credentials.access_key,
                secret_key=credentials.secret_key,
                token=credentials.token,
                region=self._region,
                checksums=checksums,
                conditional=conditional,
            )
            self._request_signer = (wishes, found)
        return self._request_signer[1]

    async def send_signed(self, key: str, request: Body, *, conditional: bool) -> Answer | None:
        """Send a request that a request signer made; the answer is a success. None when `send`
        must be used instead: nothing was stored. Raises as `send` does."""
        if self._pool is None or self._clock.now() >= self._renew_at:
            return None
        try:
            answer = await self._pool.send(request, STALL_TIMEOUT.total_seconds())
        except ConnectionBroken as error:
            raise StoreUnreachable(str(error)) from error
        except NoConnection:
            return None
        if answer.status < 300:
            return answer
        headers = {"if-none-match": "*"} if conditional else {}
        refusal = self._error(answer, bytes(await answer.bytes()), key, headers)
        if await self._mended(refusal):
            return None
        raise refusal

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """The object's bytes in chunks of 1 MiB at most. Raises as `send` does."""
        require_addressable(key)
        if self._clock.now() >= self._renew_at:
            await self._renew()
        headers: dict[str, str] = {}
        url = self._address.origin + self._sign("GET", key, "", headers, EMPTY_SHA256)
        if self._reader is None:
            self._reader = self._build_client(reading=True)
        try:
            async with self._reader.get(url).headers(headers).build_streamed() as response:
                if response.status >= 300:
                    body = bytes(await response.bytes())
                    raise self._error(response, body, key, headers)
                while (chunk := await response.body_reader.read(_CHUNK_BYTES)) is not None:
                    yield bytes(chunk)
        except PyreqwestError as error:
            raise unreachable(error) from error

    async def close(self) -> None:
        """Close the connections. May be called twice; a later request opens new ones."""
        if self._pool is not None:
            self._pool.close()
        for client in (self._client, self._reader):
            if client is not None:
                await client.close()
        self._client = self._reader = None

    def failure(self, status: int, body: bytes, key: str) -> BulkupError:
        """The error of a document <Error> that came with status 200 (CopyObject and others)."""
        return classify(Refusal(status, _no_header, body, f"key {key!r}", self._clock.now()))

    async def _exchange(
        self,
        method: str,
        key: str | None,
        headers: dict[str, str],
        query: str,
        body: Body,
        payload_sha256: str,
        limit: timedelta,
    ) -> Response | Answer:
        """One request, one answer of whatever status. The hot path: every line here costs."""
        if self._clock.now() >= self._renew_at:
            await self._renew()
        path = self._sign(method, key, query, headers, payload_sha256)
        size_bytes = len(body)
        if self._pool is not None and _is_simple(method, key, size_bytes):
            try:
                return await self._pool.ask(method, path, headers, body, limit.total_seconds())
            except ConnectionBroken as error:
                raise StoreUnreachable(str(error)) from error
            except NoConnection:
                pass  # pyreqwest knows more ways, and says better what is wrong
        if size_bytes > _SMALL_BYTES:
            limit += timedelta(seconds=size_bytes / _SLOWEST_BYTES_PER_SECOND)
        return await self._ask(method, path, headers, body, limit)

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], body: Body, limit: timedelta
    ) -> Response:
        """One signed request by pyreqwest, whatever comes of it."""
        if self._client is None:
            self._client = self._build_client(reading=False)
        url = self._address.origin + path
        try:
            request = self._client.request(method, url).timeout(limit).headers(headers)
            if body:
                request = request.body_bytes(body)
            elif method in ("PUT", "POST"):
                request = request.header("content-length", "0")
            return await request.build().send()
        except PyreqwestError as error:
            raise unreachable(error) from error
        except ValueError as error:
            raise StoreRefused(f"{path}: a header cannot be sent: {error}") from error

    def _build_client(self, *, reading: bool) -> Client:
        """Where there are lanes without TLS, no other way leads there, either: see `lanes_to`."""
        has_tls = self._pool is None or self._pool.has_tls
        return build_client(self._ca_pem, reading=reading, has_tls=has_tls)

    def _sign(
        self, method: str, key: str | None, query: str, headers: dict[str, str], payload: str
    ) -> str:
        """Sign `headers` and return the URL's path and query."""
        if key is None:
            path = self._address.path_prefix or "/"
        else:
            path = f"{self._address.path_prefix}/{encode_path(key)}"
        self._signer.sign(method, path, query, headers, payload)
        return f"{path}?{query}" if query else path

    def _error(
        self, response: Response | Answer, body: bytes, key: str | None, headers: dict[str, str]
    ) -> BulkupError:
        return classify(
            Refusal(
                status=response.status,
                header=header_reader(response),
                body=body,
                subject=f"bucket {self.bucket!r}" if key is None else f"key {key!r}",
                now=self._clock.now(),
                conditional="if-none-match" in headers,
            )
        )

    async def _mended(self, error: BulkupError) -> bool:
        """Could what `error` complains of be put right, so that the request may be sent again?"""
        credentials = self._credentials
        if credentials is None:
            return False
        if isinstance(error, WrongRegion):
            if (
                error.region in (None, credentials.region)
                or credentials.region_given
                or not self.is_aws
            ):
                return False
            self._settle(credentials, region=error.region)
            return True
        if isinstance(error, CredentialsExpired) and self._ask_account is not None:
            self._renew_at = 0.0
            await self._renew(anew=True)
            return credentials != self._credentials
        return False

    async def _renew(self, *, anew: bool = False) -> None:
        """Ask for the account again, once for however many tasks wait for it."""
        assert self._ask_account is not None
        async with self._renewing:
            if self._clock.now() < self._renew_at:
                return
            credentials = await asyncio.to_thread(self._ask_account, anew=anew)
            region = None if credentials.region_given or self._credentials is None else self._region
            self._settle(credentials, region=region)

    def _settle(self, credentials: Credentials, *, region: str | None = None) -> None:
        """Use `account` from now on; `region` overrides its own."""
        self._region = region or credentials.region
        self._credentials = credentials
        self._request_signer = None
        address = locate(self.bucket, endpoint_url=credentials.endpoint_url, region=self._region)
        if address != self._address:
            self._address = address
            self._client = self._reader = None  # they were built for the former address
            self._pool = lanes_to(address.origin, address.host, AGENT, self._ca_pem)
        self._signer = Signer(
            access_key=credentials.access_key,
            secret_key=credentials.secret_key,
            token=credentials.token,
            region=self._region,
            host=self._address.host,
            now=self._clock.now,
        )
        lifetime = credentials.good_for_seconds
        self._renew_at = float("inf") if lifetime is None else self._clock.now() + lifetime


def _is_simple(method: str, key: str | None, size_bytes: int) -> bool:
    """Whether body and answer are small, and the answer comes soon."""
    if method == "PUT":
        return 0 < size_bytes <= _SMALL_BYTES  # an empty one may be a copy, which takes its time
    return method == "HEAD" or (method == "GET" and key is None)


def header_reader(response: Response | Answer) -> Callable[[str], str | None]:
    """Reads headers of `response` by name; one that is no ASCII text counts as absent."""

    def header(name: str) -> str | None:
        try:
            return response.get_header(name)
        except ValueError:
            return None

    return header


def _no_header(name: str) -> str | None:
    return None

"""Objects in an S3 bucket, at AWS or a compatible endpoint."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

from bulkup.errors import (
    BucketMissing,
    CredentialsRefused,
    DestinationError,
    DestinationUnreachable,
    KeyTaken,
    ObjectMissing,
    StoreBroken,
    StoreForbidden,
    StoreRefused,
    StoreUnreachable,
)
from bulkup.model import Attributes, Body, Digest, Stored
from bulkup.stores.look_first import LookFirst
from bulkup.stores.s3.capabilities import RepeatedPut, TryPut, probe
from bulkup.stores.s3.credentials import Credentials
from bulkup.stores.s3.endpoint import require_addressable, suspicion
from bulkup.stores.s3.errors import PERMISSION_HINT
from bulkup.stores.s3.headers import http_moment, object_headers
from bulkup.stores.s3.multipart import S3Parts
from bulkup.stores.s3.reads import LISTING, S3Reads
from bulkup.stores.s3.request_signer import S3RequestSigner
from bulkup.stores.s3.signed_urls.urls import S3SignedURLs
from bulkup.stores.s3.sigv4 import encode_path
from bulkup.stores.s3.transport import PATIENT_SECONDS, S3Transport
from bulkup.stores.s3.xml import read_objects
from bulkup.stores.store import Capabilities

PART_THRESHOLD_BYTES = 64 * 1024 * 1024
"""For smaller objects a lost connection costs little."""
PROBES = 3
"""Objects that may be in the way of the probe; after that the endpoint counts as one without
conditional writes."""

_SEEN_BYTES = 1 << 10
"""Most heads of signed requests are shorter."""

COPY_LIMIT_BYTES = 5 * 1024**3
"""The most that CopyObject copies ("Copying objects", Amazon S3 User Guide)."""

_FORBIDDEN_HINT = "The credentials need s3:ListBucket, s3:GetObject and s3:PutObject here."


class S3Store(S3Reads, S3Parts, S3SignedURLs):
    """A `PartStore` over one bucket and prefix, which also `SignsRequests` and `SignsURLs`.

    Exclusive writes are conditional ones where the endpoint supports them; elsewhere the key is
    looked for first. Methods without a docstring do what the protocol says.
    """

    def __init__(
        self, url: str, prefix: str, transport: S3Transport, capabilities: Capabilities
    ) -> None:
        self.url = url
        self.prefix = prefix
        self.part_threshold_bytes: int | None = PART_THRESHOLD_BYTES
        self.capabilities = capabilities
        super().__init__(transport)
        self._look_first = LookFirst(self)
        self._probing = asyncio.Lock()
        self._probes_left = PROBES
        self._repeat = RepeatedPut(self._learn)

    def limit_bodies(self, bytes_per_second: int) -> None:
        self._transport.limit_bodies(bytes_per_second)

    async def identify(self) -> Credentials:
        """The credentials, region and endpoint in use. Makes no request."""
        return await self._transport.identify()

    async def served_at(self) -> float | None:
        """The endpoint's time in seconds since 1970, by the Date header (RFC 9110, 6.6.1) of a
        response; None without one. Raises StoreError and DestinationError."""
        query = {**LISTING, "max-keys": "1", "prefix": self.prefix}
        response = await self._transport.get_bucket(query)
        return http_moment(response.get_header("date"))

    async def check(self) -> None:
        """List one key. Raises DestinationError unless keys, bucket and region are right."""
        query = {**LISTING, "max-keys": "1", "prefix": self.prefix}
        try:
            response = await self._transport.get_bucket(query)
            was_empty = not read_objects(response.body)[0]
            self.capabilities = self.capabilities._replace(was_empty=was_empty)
        except StoreForbidden as error:
            hint = _FORBIDDEN_HINT if error.hint == PERMISSION_HINT else error.hint
            raise CredentialsRefused(str(error), code=error.code, hint=hint) from error
        except (ObjectMissing, BucketMissing) as error:
            hint = self._suspicion() or error.hint or "Check the bucket's name and --endpoint-url."
            raise BucketMissing(str(error), code=error.code, hint=hint) from error
        except StoreUnreachable as error:
            hint = error.hint or self._tls_hint()
            raise DestinationUnreachable(str(error), hint=hint) from error
        except DestinationUnreachable as error:
            hint = self._suspicion() or error.hint
            raise DestinationUnreachable(str(error), hint=hint) from error
        except (StoreRefused, StoreBroken) as error:
            if isinstance(error, StoreBroken) and error.code is not None:
                raise  # an S3 endpoint with a fault that may pass
            hint = self._suspicion() or "Is --endpoint-url an S3 endpoint?"
            raise DestinationError(str(error), code=error.code, hint=hint) from error

    def _suspicion(self) -> str | None:
        address = self._transport.address
        return None if address is None else suspicion(address, self._transport.bucket)

    def _tls_hint(self) -> str | None:
        """A server that expects TLS closes a plain connection, mostly without a word."""
        address = self._transport.address
        is_new = self.capabilities.conditional_writes is None
        if not is_new or address is None or not address.origin.startswith("http://"):
            return None
        return "If the server expects TLS, --endpoint-url begins with https://"

    async def put(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes, exclusive: bool
    ) -> Stored:
        """One PutObject; the endpoint compares the bytes with `digest`.

        The first exclusive puts also probe the endpoint: one of them is made twice, or where the
        destination is not known to be empty, up to six requests are made for one.
        """
        require_addressable(key)
        known = self.capabilities
        if exclusive and known.conditional_writes is None and known.was_empty:
            stored = await self._put_unprobed(key, body, digest, attributes)
            if stored is not None:
                return stored
        if exclusive and not known.conditional_writes:
            return await self._look_and_put(key, partial(self._put, key, body, digest, attributes))
        return await self._put(
            key,
            body,
            digest,
            attributes,
            conditional=exclusive,
            checksums=known.checksums is not False,
        )

    async def _put_unprobed(
        self, key: str, body: Body, digest: Digest, attributes: Attributes
    ) -> Stored | None:
        """A conditional put, which may be repeated to probe the endpoint; None when refused."""
        put = partial(self._put, key, conditional=True, checksums=True)
        try:
            stored = await put(body, digest, attributes)
        except StoreRefused:
            self._doubt()
            return None
        if self._repeat.is_worth(len(body)):
            copy = bytes(body)  # the caller may reuse its memory
            self._repeat.start(partial(put, copy, digest, attributes))
        return stored

    async def _put(
        self,
        key: str,
        body: Body,
        digest: Digest,
        attributes: Attributes,
        *,
        conditional: bool,
        checksums: bool,
    ) -> Stored:
        headers = object_headers(attributes, digest, checksums=checksums, conditional=conditional)
        response = await self._transport.send("PUT", key, headers, body=body, payload_sha256=digest)
        return Stored(self._transport.etag_of(response, key))

    async def _look_and_put(self, key: str, put: TryPut) -> Stored:
        """An exclusive put to an endpoint that cannot make it, or that was not probed."""
        if self._may_probe:
            async with self._probing:
                if self._may_probe:
                    try:
                        await self.require_absent(key)
                    except KeyTaken:
                        self._probes_left -= 1
                        raise
                    self.capabilities, stored = await probe(put, self.capabilities)
                    return stored
        conditional = self.capabilities.conditional_writes is True
        if not conditional:
            await self._look_first.require_free(key)
        checksums = self.capabilities.checksums is not False
        return await put(conditional=conditional, checksums=checksums)

    def _doubt(self) -> None:
        """A put with the condition was refused, perhaps because of it: no other is made until that
        is known."""
        self.capabilities = self.capabilities._replace(was_empty=False)

    @property
    def _may_probe(self) -> bool:
        return self.capabilities.conditional_writes is None and self._probes_left > 0

    async def probed(self) -> Capabilities:
        await self._repeat.wait()
        return self.capabilities

    def _learn(self, conditional_writes: bool) -> None:
        self.capabilities = Capabilities(conditional_writes=conditional_writes, checksums=True)

    @property
    def pooled_bytes(self) -> int:
        return self._transport.pooled_bytes

    def connect_ahead(self, count: int) -> None:
        self._transport.connect_ahead(count)

    def request_signer(self) -> S3RequestSigner | None:
        known = self.capabilities
        if known.conditional_writes is None and not known.was_empty:
            return None
        return self._transport.request_signer(
            checksums=known.checksums is not False,
            conditional=known.conditional_writes is not False,
        )

    async def put_signed(self, key: str, request: Body) -> Stored | None:
        known = self.capabilities.conditional_writes
        if known is False and not _is_conditional(request):
            await self._look_first.require_free(key)
        elif known is False or (known is None and not self.capabilities.was_empty):
            return None  # signed before that was known
        conditional = known is not False
        try:
            response = await self._transport.send_signed(key, request, conditional=conditional)
        except StoreRefused:
            if known:
                raise
            if known is None:
                self._doubt()
            return None  # perhaps because of a header: `put` finds out
        if response is None:
            return None
        if known is None and self._repeat.is_worth(len(request)):
            self._repeat.start(
                partial(self._transport.send_signed, key, request, conditional=conditional)
            )
        return Stored(self._transport.etag_of(response, key))

    async def copy(self, source_key: str, key: str, *, size_bytes: int, exclusive: bool) -> Stored:
        """Copy on the server.

        Only AWS has conditions here: elsewhere `exclusive` is a HEAD before, and two writers at the
        same time may overwrite each other.
        """
        require_addressable(source_key)
        require_addressable(key)
        if exclusive:
            await self.require_absent(key)
        source = f"/{self._transport.bucket}/{encode_path(source_key)}"
        if size_bytes > COPY_LIMIT_BYTES:
            return await self.copy_in_parts(source_key, source, key, size_bytes)
        headers = {"x-amz-copy-source": source}
        if exclusive and self._transport.is_aws:
            headers["if-none-match"] = "*"
        response = await self._transport.send("PUT", key, headers, limit_seconds=PATIENT_SECONDS)
        return Stored(self._read_etag(response.body, key, "CopyObjectResult"))

    async def delete(self, key: str) -> None:
        require_addressable(key)
        await self.probed()  # which may store this object once more
        with suppress(ObjectMissing):
            await self._transport.send("DELETE", key, {})

    async def close(self) -> None:
        self._look_first.close()
        self._repeat.close()
        await self._transport.close()


def _is_conditional(request: Body) -> bool:
    """A header further behind only costs a body that is refused."""
    return b"\r\nif-none-match:" in bytes(request[:_SEEN_BYTES])

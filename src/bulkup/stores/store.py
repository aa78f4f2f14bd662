"""What bulkup asks of a place that holds objects. Every store passes tests/contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, runtime_checkable

from bulkup.errors import ObjectDamaged
from bulkup.model import Attributes, Body, Digest, ObjectInfo, Part, Stored

READ_BYTES: Final = 64 * 1024 * 1024
"""What a read of a whole object may give: a larger one is no answer to what is asked here."""


def too_large(key: str | None) -> ObjectDamaged:
    """The error for an object of more bytes than it is to have."""
    return ObjectDamaged(f"key {key!r}: it is larger than it was")


class Capabilities(NamedTuple):
    """What an endpoint is known to support. None: not known yet."""

    conditional_writes: bool | None = None
    checksums: bool | None = None
    was_empty: bool = False  # the destination, when it was checked: no put replaces anything


class ObjectStore(Protocol):
    """Objects that never change, by key. Safe to call from many tasks of one event loop.

    Keys include `prefix` and are valid UTF-8. All methods raise the errors of `bulkup.errors`:
    StoreError for one object (StoreRefused for a key that the store cannot hold),
    DestinationError when no other request can succeed either. No method retries: `pace.tries`
    does.
    """

    url: str
    """The destination's canonical URL, see `stores.urls`."""

    prefix: str
    """The start of every key at this destination: '' or ending in '/'."""

    part_threshold_bytes: int | None
    """Bodies of this size or more are sent in parts; None: the store has no parts."""

    capabilities: Capabilities
    """What is known of the endpoint. The first exclusive puts find out what is not known."""

    async def check(self) -> None:
        """Raise DestinationError unless the destination exists and may be used. One request."""

    async def probed(self) -> Capabilities:
        """The capabilities, once what is being found out is known."""

    async def put(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes, exclusive: bool
    ) -> Stored:
        """Store all of `body` or nothing.

        The store refuses bytes that do not have `digest` (SourceChanged). With `exclusive`, raises
        KeyTaken when the key holds an object; without, replaces it. An endpoint without
        conditional writes is asked for the key first: another program may write between the two
        requests.
        """

    async def head(self, key: str, *, with_checksum: bool = False) -> ObjectInfo:
        """Size, digest and attributes of the object. Raises ObjectMissing.

        `with_checksum` asks for the checksum that the store itself computed, if it keeps one.
        """

    async def read(self, key: str, *, most_bytes: int = READ_BYTES) -> bytes:
        """The whole of an object that is known to be small: for fewer than some MiB it takes less
        time than `open`. Raises ObjectMissing, ObjectArchived until `restore` has made a copy, and
        ObjectDamaged when it has far more than `most_bytes`."""

    def open(
        self, key: str, *, start: int = 0, size_bytes: int | None = None
    ) -> AsyncIterator[bytes]:
        """The object's bytes, in order, in chunks of at most 1 MiB or so: all of them, or
        `size_bytes` (at least 1) from `start` on. Raises as `read` does."""

    async def restore(self, key: str, *, days: int) -> None:
        """Ask for a copy of an archived object that can be read for so many days; no error when it
        was asked for before. The copy is there hours later."""

    def list(self, prefix: str = "", *, after: str = "") -> AsyncIterator[list[ObjectInfo]]:
        """All objects whose key starts with `prefix`, in pages, keys in UTF-8 byte order.

        With `after`, only keys greater than it.
        """

    async def copy(self, source_key: str, key: str, *, size_bytes: int, exclusive: bool) -> Stored:
        """Copy an object and its attributes within the destination.

        Raises as `put` and `head` do.
        """

    async def delete(self, key: str) -> None:
        """Remove the object; no error when there is none."""

    async def close(self) -> None:
        """Close the connections. May be called twice."""


class PartStore(ObjectStore, Protocol):
    """A store that takes an object in parts, which outlive the process that sent them."""

    async def read_into(self, key: str, buffer: memoryview) -> int:
        """The whole of an object into a buffer, which is as large as the object is known to be or
        larger; its size in bytes. It takes less time than `read`, and raises what that does."""

    async def begin_parts(
        self,
        key: str,
        *,
        digest: Digest | None,
        attributes: Attributes,
        size_bytes: int | None = None,
        part_bytes: int | None = None,
    ) -> str:
        """Begin a multipart upload; its id.

        `digest` and `size_bytes` are those of the whole object, if they are known already, and
        `part_bytes` the size of each part but the last; `head` then returns the digest. A store
        that already knows the key to be taken raises KeyTaken.
        """

    async def put_part(
        self, key: str, upload_id: str, number: int, body: Body, *, digest: Digest
    ) -> Part:
        """Store one part or nothing; a part with the same number is replaced. Raises
        ObjectMissing when the upload id is unknown."""

    async def list_parts(self, key: str, upload_id: str) -> list[Part]:
        """The parts the store holds, by number.

        Raises ObjectMissing when the upload id is unknown.
        """

    async def complete_parts(
        self, key: str, upload_id: str, parts: Sequence[Part], *, exclusive: bool
    ) -> Stored:
        """Join `parts` into the object. Raises KeyTaken as `put` does; the upload stays open."""

    async def abort_parts(self, key: str, upload_id: str) -> None:
        """Remove the upload and its parts; no error when it is unknown."""

    def list_uploads(self, prefix: str = "") -> AsyncIterator[list[tuple[str, str, float]]]:
        """Open uploads whose key starts with `prefix`, in pages.

        Each is (key, upload id, begun at in seconds since 1970).
        """


class RequestSigner(Protocol):
    """Makes the requests of one store in another process. It is pickled, secrets included."""

    def begin(
        self, now: Callable[[], float]
    ) -> Callable[[str, Digest, int, Attributes], bytes | None]:
        """A function from key, digest, size in bytes and attributes to the part of a request
        before its body; it returns None for what only `put` can decide. `now` gives seconds since
        1970."""


@runtime_checkable
class LimitsBodies(Protocol):
    """A store behind a network, whose bodies may be sent and received slowly."""

    def limit_bodies(self, bytes_per_second: int) -> None:
        """Send and receive no large body faster than this."""


@runtime_checkable
class MayBeUnmounted(Protocol):
    """A store on a disk of this machine, which may be taken away."""

    holds_objects: bool

    def look(self) -> None:
        """Raise DestinationError unless the disk is there. Creates nothing. Blocks."""


@runtime_checkable
class SignsRequests(Protocol):
    """A store whose exclusive puts may be signed in another process, and which has connections."""

    @property
    def pooled_bytes(self) -> int:
        """Bodies of up to this size take the connections that are opened ahead."""

    def connect_ahead(self, count: int) -> None:
        """Open connections in the background for so many of those bodies, which come soon."""

    def request_signer(self) -> RequestSigner | None:
        """The signer for `put_signed`: the same object as long as requests stay the same. None
        while not enough is known of the endpoint, and where signing ahead saves nothing."""

    async def put_signed(self, key: str, request: Body) -> Stored | None:
        """An exclusive `put` by a request (head and body) signed some minutes ago at most.

        None when `put` must be used instead: nothing was stored. Raises as `put` does.
        """


class SignedURL(NamedTuple):
    """A request that anybody may make with this URL until it expires. `headers` (lower-case names)
    must be sent with these values; a body's Content-Length is not among them."""

    method: str
    url: str
    headers: Mapping[str, str]
    expires_at: float  # seconds since 1970


@dataclass(frozen=True, slots=True)
class SignedAccess:
    """URLs by key: to read objects, and to put them under keys that are derived from digests."""

    gets: Mapping[str, str] = field(default_factory=dict)
    puts: Mapping[str, SignedURL] = field(default_factory=dict)
    expires_at: float = 0.0  # seconds since 1970, the earliest of them


class URLBindings(NamedTuple):
    """What an endpoint holds the bearer of a signed URL for a PUT to."""

    length: bool  # the size of the body
    digest: bool  # the SHA-256 of the body
    absence: bool  # that the key holds no object (If-None-Match: *)


@runtime_checkable
class SignsURLs(Protocol):
    """A store that lets others make single requests, without its credentials."""

    async def sign_put(
        self, key: str, *, size_bytes: int, digest: Digest, attributes: Attributes, seconds: int
    ) -> SignedURL:
        """An exclusive `put` of this content."""

    async def sign_part(
        self,
        key: str,
        upload_id: str,
        number: int,
        *,
        size_bytes: int,
        digest: Digest | None,
        seconds: int,
    ) -> SignedURL:
        """A `put_part`; with a digest, of these bytes only."""

    async def sign_get(self, key: str, *, seconds: int) -> SignedURL:
        """A GET of the object, or of a range of it."""

    async def probe_bindings(self, name: str) -> URLBindings:
        """What URLs for a PUT are found to bind, by a few requests for a key that ends in `name`
        and is removed afterwards. Raises StoreRefused when no URL is accepted at all."""

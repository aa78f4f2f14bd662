"""What bulkup asks of a place that holds objects. Every store passes tests/contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple, Protocol

from bulkup.model import Attributes, Body, Digest, ObjectInfo, Part, Stored


class Capabilities(NamedTuple):
    """What an endpoint was found to do, so that it is probed once and remembered.

    `conditional_writes` is None until somebody has looked.
    """

    conditional_writes: bool | None = None
    checksums: bool | None = None


class RequestSigner(Protocol):
    """Makes requests ready in another process of ours. Can be pickled; may hold secrets."""

    def begin(
        self, now: Callable[[], float]
    ) -> Callable[[str, Digest, int, Attributes], bytes | None]:
        """What makes the part of a request before its body, for a key, digest, size in bytes and
        attributes; None for what `put` itself must look at. `now` gives seconds since 1970."""


class ObjectStore(Protocol):
    """Objects that never change, by key. Safe to call from many tasks of one event loop.

    Keys are whole: they include `prefix`. They are str, always valid UTF-8. All methods raise the
    errors of `bulkup.errors`: StoreError for one object (StoreRefused for a key that the store
    cannot hold), DestinationError when nothing else can go on.
    None of them tries again: `pace.retrying` does that.
    """

    url: str
    """Where the objects are, as the user writes it, without secrets."""

    prefix: str
    """What every key of this destination begins with: '' or ending in '/'."""

    part_threshold_bytes: int | None
    """Bodies of this size or more must go through the part methods; None: there are no parts."""

    capabilities: Capabilities
    """What is known of the endpoint. Exclusive writes are a bug (RuntimeError) as long as
    `conditional_writes` is not True: `probe` first, or list and write without."""

    async def check(self) -> None:
        """Raise DestinationError unless the destination is there and lets us in. One request."""

    async def put(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes, exclusive: bool
    ) -> Stored:
        """Store all of `body` or nothing.

        The store refuses bytes that do not have `digest` (SourceChanged). With `exclusive`, raises
        KeyTaken when the key holds anything; without, replaces it.
        """

    def request_signer(self, *, exclusive: bool) -> RequestSigner | None:
        """What makes requests for `put_prepared`: the same object as long as they will be the
        same. None where nothing is gained by it."""

    async def put_prepared(self, key: str, request: bytes, *, exclusive: bool) -> Stored | None:
        """`put` by a request (head and body) that `preparing` made ready, not many minutes ago.

        None when `put` is to do it instead: nothing was stored. Raises as `put` does.
        """

    async def probe(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes
    ) -> tuple[Capabilities, Stored]:
        """Store `body` under a free key, and learn `abilities` by it; they are set here, too.

        Raises KeyTaken, with nothing learned, when the key holds an object: try another file.
        """

    async def head(self, key: str, *, with_checksum: bool = False) -> ObjectInfo:
        """What is known of the object, its digest included where it has one.

        `with_checksum` asks for the store's own checksum, too, where it keeps any. Raises
        ObjectMissing.
        """

    def open(self, key: str) -> AsyncIterator[bytes]:
        """The object's bytes, in order, in chunks of at most 1 MiB or so. Raises ObjectMissing."""

    def list(self, prefix: str = "", *, after: str = "") -> AsyncIterator[list[ObjectInfo]]:
        """All objects whose key starts with `prefix`, in pages, keys in UTF-8 byte order.

        With `after` only those that come after that key, so that a listing can be gone on with.
        """

    async def copy(self, source_key: str, key: str, *, size_bytes: int, exclusive: bool) -> Stored:
        """Copy an object within the destination, attributes included.

        Raises as `put` and `head` do.
        """

    async def delete(self, key: str) -> None:
        """Remove the object; no error when there is none."""

    async def close(self) -> None:
        """Give connections back. May be called twice."""


class PartStore(ObjectStore, Protocol):
    """A store in which one object can be sent in parts that survive the process that sent them."""

    async def begin_parts(self, key: str, *, digest: Digest | None, attributes: Attributes) -> str:
        """Open a multipart upload and return its upload id.

        `digest` is that of the whole object, where it is known by now; `head` then tells it.
        """

    async def put_part(
        self, key: str, upload_id: str, number: int, body: Body, *, digest: Digest
    ) -> Part:
        """Store one part or nothing; sending a number again replaces it. Raises ObjectMissing
        when the upload id is unknown."""

    async def list_parts(self, key: str, upload_id: str) -> list[Part]:
        """The parts the store holds, by number.

        Raises ObjectMissing when the upload id is unknown.
        """

    async def complete_parts(
        self, key: str, upload_id: str, parts: Sequence[Part], *, exclusive: bool
    ) -> Stored:
        """Make the object of `parts`.

        Raises KeyTaken as `put` does; the upload then is still open.
        """

    async def abort_parts(self, key: str, upload_id: str) -> None:
        """Drop the upload and its parts; no error when it is unknown."""

    def list_uploads(self, prefix: str = "") -> AsyncIterator[list[tuple[str, str, float]]]:
        """Open uploads whose key starts with `prefix`, in pages.

        Each is (key, upload id, begun at in seconds since 1970).
        """

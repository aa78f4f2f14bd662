"""One content into one object, without replacing another."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple, Protocol, TypeVar

from bulkup.errors import KeyTaken, ObjectMissing
from bulkup.model import Attributes, Body, Digest, ObjectInfo, Stored
from bulkup.stores.store import ObjectStore

T = TypeVar("T")

PUTS = 3
"""Puts of a content whose key is taken, as it seems, by no object."""

MD5_HEX = 32


class Sent(NamedTuple):
    """The object that holds the content, and whether it was sent or found there."""

    etag: str | None
    how: Literal["sent", "adopted"]
    checksum: str | None = None


class Tries(Protocol):
    """Makes one request, with its tries."""

    async def __call__(self, call: Callable[[], Awaitable[T]]) -> T: ...


async def send_whole(
    store: ObjectStore,
    key: str,
    body: Body,
    *,
    digest: Digest,
    attributes: Attributes,
    tries: Tries,
    ask: Tries,
) -> Sent:
    """Put `body` under `key`, or adopt the object there if it has the same content.

    `tries` makes the put, `ask` the HEAD of an object in its way. Raises KeyTaken when that has
    another content, else as `put` does. A put that is tried again after its response was lost
    finds its own object and adopts it. When the key is taken and yet has no object, as after a
    conflict of two writers, the put is made again; then KeyTaken is raised.
    """
    taken = KeyTaken(f"{key} is taken")
    for _ in range(PUTS):
        try:
            stored: Stored = await tries(
                lambda: store.put(key, body, digest=digest, attributes=attributes, exclusive=True)
            )
            return Sent(stored.etag, "sent")
        except KeyTaken as error:
            taken = error
        try:
            info: ObjectInfo = await ask(lambda: store.head(key))
        except ObjectMissing:
            continue
        if await is_same(store, info, size_bytes=len(body), digest=digest, body=body):
            return Sent(info.etag, "adopted")
        break
    raise taken


async def is_same(
    store: ObjectStore,
    info: ObjectInfo,
    *,
    size_bytes: int,
    digest: Digest,
    body: Body | None,
) -> bool:
    """Whether the object holds the content with this size and digest.

    The object's own SHA-256 decides, if it has one. An object of another tool has at best an MD5 as
    its ETag; otherwise it must be read.
    """
    if info.size_bytes != size_bytes:
        return False
    if info.digest is not None:
        return info.digest == digest
    etag = (info.etag or "").strip('"')
    is_md5 = len(etag) == MD5_HEX and "-" not in etag
    if body is not None and is_md5 and hashlib.md5(body, usedforsecurity=False).hexdigest() == etag:
        return True
    try:
        found = hashlib.sha256()
        async for chunk in store.open(info.key):
            found.update(chunk)
    except ObjectMissing:
        return False
    return found.hexdigest() == digest

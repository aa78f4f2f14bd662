"""What an endpoint can do, found out by storing a first object: no extra object, no overwriting.

Conditional writes: "How to prevent object overwrites with conditional writes", Amazon S3 User
Guide. Some endpoints refuse the header (501, 400), some ignore it (200 twice), and caches in
between may answer 304. Ceph 16.2 minds the condition of PutObject, and ignores that of
CompleteMultipartUpload and CopyObject: so S3Store looks with a HEAD before those two, everywhere.
"""

from __future__ import annotations

from itertools import product
from typing import Protocol

from bulkup.errors import KeyTaken, ObjectMissing, StoreRefused
from bulkup.model import Attributes, Body, Digest, ObjectInfo, Stored
from bulkup.stores.store import Capabilities


class Prober(Protocol):
    """What the probe asks of a store."""

    capabilities: Capabilities

    async def head(self, key: str) -> ObjectInfo: ...
    async def put_as(
        self,
        key: str,
        body: Body,
        *,
        digest: Digest,
        attributes: Attributes,
        conditional: bool,
        checksums: bool,
    ) -> Stored: ...


async def probe(
    store: Prober, key: str, body: Body, digest: Digest, attributes: Attributes
) -> tuple[Capabilities, Stored]:
    """Store `body` under `key` and learn by it what `store.abilities` leaves open.

    Raises KeyTaken when the key holds an object, before anything is sent; the object is then
    untouched, and nothing was learned. Two to six requests, once per endpoint.
    """
    try:
        await store.head(key)
    except ObjectMissing:
        pass
    else:
        raise KeyTaken(f"key {key!r} holds an object already")
    known = store.capabilities
    refusal: StoreRefused | None = None
    for conditional, checksums in product(
        _to_try(known.conditional_writes), _to_try(known.checksums)
    ):
        try:
            stored = await store.put_as(
                key,
                body,
                digest=digest,
                attributes=attributes,
                conditional=conditional,
                checksums=checksums,
            )
        except StoreRefused as error:
            refusal = error
            continue
        if conditional and known.conditional_writes is None:
            conditional = await _refuses_again(store, key, body, digest, attributes, checksums)
        return Capabilities(conditional_writes=conditional, checksums=checksums), stored
    assert refusal is not None
    raise refusal


async def _refuses_again(
    store: Prober, key: str, body: Body, digest: Digest, attributes: Attributes, checksums: bool
) -> bool:
    """Is a second conditional write of the very same bytes refused, as it should be?"""
    try:
        await store.put_as(
            key, body, digest=digest, attributes=attributes, conditional=True, checksums=checksums
        )
    except KeyTaken:
        return True
    except StoreRefused:
        return False
    return False


def _to_try(known: bool | None) -> tuple[bool, ...]:
    """With the ability first, so that the first success is the best there is."""
    return (True, False) if known is None else (known,)

"""What an endpoint supports, found out by storing a first object: no extra object, no overwriting.

Conditional writes: "How to prevent object overwrites with conditional writes", Amazon S3 User
Guide. Some endpoints refuse the header (501, 400), some ignore it (200 twice), and caches in
between may answer 304. Ceph 16.2 honours the condition of PutObject, and ignores that of
CompleteMultipartUpload and CopyObject: S3Store sends a HEAD before those two, everywhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import product

from bulkup.errors import KeyTaken, StoreRefused
from bulkup.model import Stored
from bulkup.stores.store import Capabilities


async def probe(
    put: Callable[[bool, bool], Awaitable[Stored]], known: Capabilities
) -> tuple[Capabilities, Stored]:
    """Store an object by one to five puts, and learn what `known` leaves open.

    `put(conditional, checksums)` puts the same bytes under the same key, which was free just now.
    Raises the last refusal when no kind of put is accepted.
    """
    refusal: StoreRefused | None = None
    for conditional, checksums in product(
        _candidates(known.conditional_writes), _candidates(known.checksums)
    ):
        try:
            stored = await put(conditional, checksums)
        except StoreRefused as error:
            refusal = error
            continue
        if conditional and known.conditional_writes is None:
            conditional = await is_refused(partial(put, True, checksums))
        return Capabilities(conditional_writes=conditional, checksums=checksums), stored
    assert refusal is not None
    raise refusal


async def is_refused(put: Callable[[], Awaitable[object]]) -> bool:
    """Whether a second conditional write of the same bytes is refused, as it must be."""
    try:
        await put()
    except KeyTaken:
        return True
    except StoreRefused:
        return False
    return False


def _candidates(known: bool | None) -> tuple[bool, ...]:
    """True first: the first put that succeeds shows the most that the endpoint supports."""
    return (True, False) if known is None else (known,)

"""What an endpoint supports, found out by storing a first object: no extra object, no overwriting.

Conditional writes: "How to prevent object overwrites with conditional writes", Amazon S3 User
Guide. Some endpoints refuse the header (501, 400), some ignore it (200 twice), and caches in
between may answer 304. Ceph 16.2 honours the condition of PutObject, and ignores that of
CompleteMultipartUpload and CopyObject: S3Store sends a HEAD before those two, everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from itertools import product
from typing import Protocol

from bulkup.errors import DestinationError, ItemError, KeyTaken, RequestUnsupported, StoreRefused
from bulkup.model import Stored
from bulkup.stores.store import Capabilities

SMALL_BYTES = 32 << 10
REPEATED_SHARE = 0.01
"""A body is sent twice if it is small, or no more than so much of what was sent before."""


class TryPut(Protocol):
    """Puts the same bytes under the same key, each time it is called."""

    def __call__(self, *, conditional: bool, checksums: bool) -> Awaitable[Stored]:
        """With a condition or without, and with a checksum or without."""


async def probe(put: TryPut, known: Capabilities) -> tuple[Capabilities, Stored]:
    """Store an object by one to five puts, and learn what `known` leaves open.

    The key of `put` was free just now. Raises the last refusal when no kind of put is accepted,
    and DestinationError when the endpoint stores no objects at all.
    """
    refusal: StoreRefused | None = None
    for conditional, checksums in product(
        _candidates(known.conditional_writes), _candidates(known.checksums)
    ):
        try:
            stored = await put(conditional=conditional, checksums=checksums)
        except StoreRefused as error:
            refusal = error
            continue
        if conditional and known.conditional_writes is None:
            conditional = await _is_refused(partial(put, conditional=True, checksums=checksums))
        return Capabilities(conditional_writes=conditional, checksums=checksums), stored
    assert refusal is not None
    if isinstance(refusal, RequestUnsupported):
        hint = (
            refusal.hint
            or "Nothing can be stored here: is the endpoint, or a proxy before it, read-only?"
        )
        raise DestinationError(str(refusal), code=refusal.code, hint=hint) from refusal
    raise refusal


class RepeatedPut:
    """Finds out beside other requests whether conditional writes work, by one put made twice.

    Only for a destination that was empty: a second write that is not refused replaces nothing else.
    """

    def __init__(self, learn: Callable[[bool], None]) -> None:
        """`learn` is called with what was found out, if it was."""
        self._learn = learn
        self._stored_bytes = 0
        self._task: asyncio.Task[None] | None = None

    def is_worth(self, size_bytes: int) -> bool:
        """Whether a put of so many bytes, which has just succeeded, is the one to make twice."""
        self._stored_bytes += size_bytes
        is_cheap = size_bytes <= SMALL_BYTES or size_bytes <= self._stored_bytes * REPEATED_SHARE
        return is_cheap and self._task is None

    def start(self, put: Callable[[], Awaitable[object]]) -> None:
        """Make it once more, in a task."""
        self._task = asyncio.create_task(self._run(put))

    async def _run(self, put: Callable[[], Awaitable[object]]) -> None:
        try:
            self._learn(await _is_refused(put))
        except (ItemError, DestinationError):  # nothing was learned: another put is made twice
            self._task = None

    async def wait(self) -> None:
        """Until nothing is being found out."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    def close(self) -> None:
        """Stop finding out."""
        if self._task is not None:
            self._task.cancel()


async def _is_refused(put: Callable[[], Awaitable[object]]) -> bool:
    """Whether a second conditional write of the same bytes is refused, as it must be."""
    try:
        with suppress(StoreRefused):
            await put()
    except KeyTaken:
        return True
    return False


def _candidates(known: bool | None) -> tuple[bool, ...]:
    """True first: the first put that succeeds shows the most that the endpoint supports."""
    return (True, False) if known is None else (known,)

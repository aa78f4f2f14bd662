"""The checks of `verify`: what a listing, a HEAD or the bytes say about one object. Pure.

A check returns None when the object is as it was stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from random import Random
from typing import Literal, NamedTuple

from bulkup.errors import ErrorClass, UsageError
from bulkup.manifest.verification import StoredObject
from bulkup.model import ObjectInfo
from bulkup.run.store_reader import computed_digest

FindingKind = Literal["missing", "short", "different", "unreadable", "foreign", "unchecked"]

_SAMPLE = re.compile(r"(\d+)|(\d+(?:\.\d+)?)%", re.ASCII)


class Mismatch(NamedTuple):
    """How an object differs from what was stored. `is_only_in_bytes`: what a HEAD says of it is
    right, so that its key is not used again."""

    finding: FindingKind
    detail: str
    is_only_in_bytes: bool = False

    @property
    def error_class(self) -> ErrorClass:
        return ErrorClass.MISSING if self.finding == "missing" else ErrorClass.CHANGED

    def message(self, recorded: StoredObject) -> str:
        """What the manifest keeps as the error of the item."""
        what = f"object {recorded.key}"
        if recorded.variant is not None:
            what = f"variant {recorded.variant} ({recorded.key})"
        if self.finding == "missing":
            return f"verify: the {what} is gone"
        return f"verify: the {what} is not what was stored: {self.detail}"


def is_as_listed(recorded: StoredObject, info: ObjectInfo) -> bool:
    """Whether the listing alone proves that the object is unchanged since it was stored."""
    return (
        recorded.etag is not None
        and info.size_bytes == recorded.size_bytes
        and _is_same_etag(recorded.etag, info.etag)
    )


def check_size(recorded: StoredObject, size_bytes: int) -> Mismatch | None:
    """Compare the object's size."""
    if size_bytes == recorded.size_bytes:
        return None
    finding: FindingKind = "short" if size_bytes < recorded.size_bytes else "different"
    return Mismatch(finding, f"the object has {size_bytes} bytes, not {recorded.size_bytes}")


def check_head(recorded: StoredObject, info: ObjectInfo) -> Mismatch | Literal["undecided"] | None:
    """Compare what a HEAD says of an object of the right size; "undecided": read its bytes."""
    computed = computed_digest(info)
    if computed is not None and recorded.digest is not None:
        if computed == recorded.digest:
            return None
        return Mismatch("different", f"the endpoint computed another SHA-256, {computed}")
    if info.checksum is not None and recorded.checksum is not None:
        value, _, parts = recorded.checksum.partition("-")
        if info.checksum.partition("-")[0] == value:
            return None
        if _part_count(info) == parts:  # the same parts would have the same composite
            return Mismatch("different", "the endpoint's checksum is not that of the parts sent")
    if recorded.etag is not None and _is_same_etag(recorded.etag, info.etag):
        return None
    if info.digest is None or recorded.digest is None:
        return "undecided"
    if info.digest == recorded.digest:
        return None
    return Mismatch("different", f"the object is marked with another SHA-256, {info.digest}")


def _is_same_etag(one: str, other: str | None) -> bool:
    """Some endpoints leave out the quotes, in listings or in headers."""
    return other is not None and one.strip('"') == other.strip('"')


def _part_count(info: ObjectInfo) -> str:
    """The number of the object's parts, '' where it is not known."""
    assert info.checksum is not None
    return info.checksum.partition("-")[2] or (info.etag or "").strip('"').partition("-")[2]


# Which objects are read ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Depth:
    """How many objects are read: a count or a share of them, chosen at random by `seed`."""

    count: int | None = None
    share: float = 0.0
    seed: int = 0

    def sample(self, total: int) -> Iterator[bool]:
        """For each of `total` objects in turn, whether it is read."""
        if self.count is None and self.share in (0.0, 1.0):
            return repeat(self.share == 1.0)
        wanted = -(-total * self.share // 1) if self.count is None else self.count
        return sample(total, int(wanted), Random(self.seed))  # noqa: S311 - a sample, no secret


def parse_sample(text: str, seed: int) -> Depth:
    """`100` objects, or `5%` of them. Raises UsageError."""
    match = _SAMPLE.fullmatch(text.strip())
    if match is None or (match[2] and float(match[2]) > 100):
        raise UsageError(
            f"--sample {text!r} is neither a count nor a percentage", hint="Write 100 or 5%."
        )
    if match[1]:
        return Depth(count=int(match[1]), seed=seed)
    return Depth(share=float(match[2]) / 100, seed=seed)


def sample(total: int, wanted: int, random: Random) -> Iterator[bool]:
    """For each of `total` objects in turn, whether it is one of the `wanted` that are read.

    Every subset of that size is equally likely (Knuth, The Art of Computer Programming, volume 2,
    3.4.2, algorithm S). Endless: objects beyond the total are not chosen.
    """
    left = min(wanted, total)
    for seen in range(total):
        chosen = random.random() * (total - seen) < left
        left -= chosen
        yield chosen
    while True:
        yield False

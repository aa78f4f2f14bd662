"""Destinations that overlap: an object of one is not foreign to the other. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bulkup.manifest.destinations import Destination
from bulkup.run.store_reader import INTERNAL


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another destination of the manifest in the same bucket, or above or below our directory.

    Our key `below + rest` is their key `above + rest`.
    """

    destination_id: int
    below: str = ""
    above: str = ""
    internal: str | None = None  # the prefix of our keys below which their `.bulkup/` lies

    def key(self, key: str) -> str | None:
        """Their name for our `key`; None when it lies outside their prefix."""
        return self.above + key.removeprefix(self.below) if key.startswith(self.below) else None

    def is_internal(self, key: str) -> bool:
        """Whether our `key` lies below their `.bulkup/`."""
        return self.internal is not None and key.startswith(self.internal)


def overlapping(destination: Destination, others: Iterable[Destination]) -> list[Overlap]:
    """The overlaps of `destination` with `others`, itself left out."""
    found = (_overlap(destination, other) for other in others if other.id != destination.id)
    return [overlap for overlap in found if overlap is not None]


def same_place(destination: Destination, others: Iterable[Destination]) -> list[Destination]:
    """Those of `others` that may be `destination` under another name: the same directory, or the
    same bucket and prefix at an endpoint with another URL."""
    return [
        other
        for other in others
        if other.id != destination.id and _url_place(other) == _url_place(destination)
    ]


def _overlap(ours: Destination, other: Destination) -> Overlap | None:
    bucket, prefix = _place(ours)
    other_bucket, other_prefix = _place(other)
    if bucket != other_bucket:
        return None
    if ours.url.startswith("s3://"):  # keys include the prefix
        internal = other_prefix + INTERNAL if other_prefix != prefix else None
        return Overlap(other.id, internal=internal)
    if other_prefix.startswith(prefix):
        below = other_prefix.removeprefix(prefix)
        return Overlap(other.id, below=below, internal=below + INTERNAL if below else None)
    if prefix.startswith(other_prefix):
        return Overlap(other.id, above=prefix.removeprefix(other_prefix))
    return None


def _place(destination: Destination) -> tuple[str, str]:
    """(endpoint and bucket, prefix); a directory is a prefix without a bucket."""
    url = destination.url
    if url.startswith("s3://"):
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        return f"{destination.endpoint_url} {bucket}", f"{prefix}/" if prefix else ""
    return "", url.rstrip("/") + "/"


def _url_place(destination: Destination) -> tuple[str, str]:
    """The same without the endpoint."""
    bucket, prefix = _place(destination)
    return bucket.removeprefix(f"{destination.endpoint_url} "), prefix

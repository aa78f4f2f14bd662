"""Destinations that share a place: what belongs to one is not foreign to the other. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from bulkup.manifest.runs import Destination
from bulkup.run.store_reader import INTERNAL


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another destination of the manifest in the same bucket, or above or below in one tree.

    A key of ours that begins with `below` is theirs with `above` instead.
    """

    destination_id: int
    below: str = ""
    above: str = ""
    internal: str | None = None  # where, among our keys, they keep what is bulkup's own

    def key(self, key: str) -> str | None:
        """What they call our `key`; None where it lies outside of theirs."""
        return self.above + key.removeprefix(self.below) if key.startswith(self.below) else None

    def is_internal(self, key: str) -> bool:
        """Whether the key is one of bulkup's own at their place."""
        return self.internal is not None and key.startswith(self.internal)


def overlapping(destination: Destination, others: Iterable[Destination]) -> list[Overlap]:
    """Those of `others` that share `destination`'s place."""
    found = (_kin(destination, other) for other in others if other.id != destination.id)
    return [kin for kin in found if kin is not None]


def same_place(destination: Destination, others: Iterable[Destination]) -> list[Destination]:
    """Those of `others` that may be `destination` by another name: the same bucket and prefix at
    an endpoint that is written in another way, or the same directory."""
    return [
        other
        for other in others
        if other.id != destination.id and _url_place(other) == _url_place(destination)
    ]


def _kin(ours: Destination, other: Destination) -> Overlap | None:
    bucket, prefix = _place(ours)
    other_bucket, other_prefix = _place(other)
    if bucket != other_bucket:
        return None
    if ours.url.startswith("s3://"):  # keys are whole
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
    path = unquote(urlsplit(url).path) if url.startswith("file://") else url
    return "", path.rstrip("/") + "/"


def _url_place(destination: Destination) -> tuple[str, str]:
    """The same without the endpoint."""
    bucket, prefix = _place(destination)
    return bucket.removeprefix(f"{destination.endpoint_url} "), prefix

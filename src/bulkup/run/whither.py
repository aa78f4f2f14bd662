"""Where a push would go: asked of the manifest, without making a row in it."""

from __future__ import annotations

from dataclasses import dataclass

from bulkup.discover.roots import anchor
from bulkup.manifest.manifest import Reader
from bulkup.manifest.runs import Destination
from bulkup.run.batch import Push, canonical


@dataclass(frozen=True, slots=True)
class Whither:
    """Where a push would go. `known` is None when nothing was ever pushed there."""

    url: str
    endpoint_url: str
    known: Destination | None
    first_default: bool

    @property
    def id(self) -> int | None:
        return None if self.known is None else self.known.id


def whither(push: Push, reader: Reader) -> Whither:
    """As said now, else as the first root remembers, else the embedded store."""
    url, endpoint_url, first_default = push.to, push.endpoint_url or "", False
    if url is None:
        last = reader.runs.destination_of(anchor(push.roots[0])) if reader.exists else None
        if last is not None:
            url, endpoint_url = last.url, push.endpoint_url or last.endpoint_url
        else:
            url, first_default = push.default_to, True
    url = canonical(url)
    if not url.startswith("s3://"):
        endpoint_url = ""
    known = reader.runs.destinations() if reader.exists else []
    found = (d for d in known if (d.url, d.endpoint_url) == (url, endpoint_url))
    return Whither(url, endpoint_url, next(found, None), first_default)

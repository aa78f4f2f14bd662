"""Where a push goes: asked of the manifest, without making a row in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from bulkup.manifest.runs import Destination, Runs
from bulkup.walk.roots import anchor

if TYPE_CHECKING:
    from bulkup.operations.push import Push


class PushTarget(NamedTuple):
    """Where a push goes. `known` is None when nothing was ever pushed there."""

    url: str
    endpoint_url: str
    known: Destination | None
    first_default: bool

    @property
    def id(self) -> int | None:
        return None if self.known is None else self.known.id


def resolve_target(push: Push, runs: Runs | None) -> PushTarget:
    """As said now, else as the first root remembers, else the embedded store.

    `runs` is None as long as there is no manifest.
    """
    url, endpoint_url, first_default = push.to, push.endpoint_url or "", False
    if url is None:
        last = runs.destination_of(anchor(push.roots[0])) if runs is not None else None
        if last is not None:
            url, endpoint_url = last.url, push.endpoint_url or last.endpoint_url
        else:
            url, first_default = push.default_to, True
    url = canonical(url)
    if not url.startswith("s3://"):
        endpoint_url = ""
    known = runs.destinations() if runs is not None else []
    found = (d for d in known if (d.url, d.endpoint_url) == (url, endpoint_url))
    return PushTarget(url, endpoint_url, next(found, None), first_default)


def canonical(url: str) -> str:
    """A destination as the manifest keeps it: S3 URLs without a closing slash, directories as
    absolute paths."""
    if url.startswith("s3://"):
        return "s3://" + url.removeprefix("s3://").rstrip("/")
    if url.startswith("file://"):
        return url
    if "://" in url:
        return url
    return os.path.abspath(os.path.expanduser(url))

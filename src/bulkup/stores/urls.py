"""Destination URLs: `s3://bucket/prefix`, `file:///directory` and plain paths. Pure."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from bulkup.errors import UsageError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}").fullmatch


class BucketURL(NamedTuple):
    """A place in a bucket. `prefix` has no slash at its end."""

    bucket: str
    prefix: str

    @property
    def canonical(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def parse(url: str) -> BucketURL | str:
    """The place in a bucket, or the absolute path of the directory. Raises UsageError."""
    scheme = _SCHEME.match(url)
    if scheme is None:
        if not url:
            raise UsageError("the destination is empty", hint="Use s3://bucket/prefix or a path.")
        return os.path.abspath(os.path.expanduser(url))
    first, _, rest = url[scheme.end() :].partition("/")
    if scheme[1].lower() == "file":
        if first not in ("", "localhost") or url[scheme.end() :] == first:
            raise UsageError(f"{redact(url)!r} names another machine or no directory")
        return os.path.abspath("/" + unquote(rest))
    if scheme[1].lower() != "s3":
        raise UsageError(
            f"{scheme[1]}:// destinations are not supported",
            hint="Use s3://bucket/prefix, file:///directory or a path.",
        )
    if not _BUCKET(first):
        raise UsageError(
            f"{redact(url)!r} names no bucket", hint="Use s3://bucket or s3://bucket/prefix."
        )
    return BucketURL(first, rest.rstrip("/"))


def canonical(url: str) -> str:
    """The one way in which the manifest writes a destination. Raises UsageError.

    `s3://bucket/prefix` without a slash at its end, and the absolute path of a directory.
    """
    place = parse(url)
    return place if isinstance(place, str) else place.canonical


def redact(url: str) -> str:
    """`url` without user, password, query and fragment, any of which may hold a secret."""
    if not _SCHEME.match(url):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("://")[0] + "://…"
    if parts.scheme in ("s3", "file") and "@" not in parts.netloc:
        return url  # '?' and '#' are characters of a key or path here
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

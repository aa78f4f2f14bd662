"""Destination URLs: `s3://bucket/prefix`, `file:///directory` and plain paths, and
`https://host:8765`, a `bulkup serve`."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from bulkup.errors import UsageError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,254}").fullmatch  # also what servers relax
_LOOKALIKE = re.compile(r"(?P<name>[A-Za-z0-9][\w.@+-]+):(?P<rest>(?!//).*)", re.DOTALL).fullmatch
_BROKER_SCHEMES = frozenset(("http", "https", "broker+http", "broker+https"))
BUCKET_RULES = "Bucket names have 3 to 63 lower-case letters, digits, '-' and '.'."


class BucketURL(NamedTuple):
    """A place in a bucket. `prefix` has no slash at its end."""

    bucket: str
    prefix: str

    @property
    def canonical(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


class BrokerURL(NamedTuple):
    """A `bulkup serve`. `path` is '' or, behind a reverse proxy, the one it is shown below."""

    origin: str
    path: str

    @property
    def canonical(self) -> str:
        return f"broker+{self.origin}{self.path}" if self.path else self.origin


def parse(url: str) -> BucketURL | BrokerURL | str:
    """The place in a bucket, the server, or the absolute path of the directory. Raises
    UsageError."""
    require_no_lookalike(url)
    scheme = _SCHEME.match(url)
    if scheme is None:
        if not url:
            raise UsageError("the destination is empty", hint="Use s3://bucket/prefix or a path.")
        if url[:6].lower() == "file:/":  # RFC 8089, appendix B
            return os.path.abspath(unquote(url[5:]))
        return os.path.abspath(os.path.expanduser(url))
    kind, rest = scheme[1].lower(), url[scheme.end() :]
    first, _, path = rest.partition("/")
    if kind == "file":
        if first not in ("", "localhost") or rest == first:
            raise UsageError(f"{redact(url)!r} names another machine or no directory")
        return os.path.abspath("/" + unquote(path))
    if kind in _BROKER_SCHEMES:
        return _parse_broker(url, kind)
    if kind != "s3":
        raise UsageError(f"{kind}:// destinations are not supported", hint=_hint_for(kind, url))
    if not _BUCKET(first):
        raise UsageError(f"{redact(url)!r} {_wrong_bucket(first)}", hint=BUCKET_RULES)
    if not {".", ".."}.isdisjoint(path.split("/")):
        raise UsageError(
            f"{redact(url)!r} has a segment '.' or '..', which no URL of an object can have",
            hint="Name the prefix without it.",
        )
    return BucketURL(first, path.rstrip("/"))


def require_no_lookalike(text: str) -> None:
    """Raise UsageError for what is neither a URL nor a path, unless it is there: `s3:/bucket`, and
    the remotes of rclone and rsync."""
    found = _LOOKALIKE(text)
    if found is None or text[:6].lower() == "file:/" or os.path.lexists(text.partition("/")[0]):
        return
    name, rest = found["name"].lower(), found["rest"].lstrip("/")
    if name == "s3":
        raise UsageError(
            f"{redact(text)!r} is not the URL of a bucket",
            hint=f"Did you mean s3://{rest or 'bucket'}?",
        )
    if name == "arn":
        rest = rest.rpartition(":::")[2]
    raise UsageError(
        f"{redact(text)!r} is neither a URL nor a path",
        hint=f"A bucket is s3://{rest or 'bucket'}, with --endpoint-url for other servers than "
        f"Amazon's; a directory of this name is ./{redact(text)}",
    )


def _hint_for(kind: str, url: str) -> str:
    """What to write instead of a URL of another kind."""
    parts = urlsplit(redact(url)) if kind in ("http", "https") else None
    if parts is not None and parts.path.strip("/"):
        place = parts.path.strip("/")
        return (
            f"A bucket there is --to s3://{place} --endpoint-url {kind}://{parts.netloc}; "
            f"a bulkup serve there is --to broker+{kind}://{parts.netloc}{parts.path}"
        )
    return "Use s3://bucket/prefix, file:///directory, a path or https://host:8765."


def _parse_broker(url: str, kind: str) -> BrokerURL:
    """`https://host:port`; with a path it must be `broker+https://`, as people write that for
    buckets. Raises UsageError."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise UsageError(f"{redact(url)!r} is not a URL: {error}") from error
    scheme, path = kind.removeprefix("broker+"), parts.path.rstrip("/")
    if not host or "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError(
            f"{redact(url)!r} is not the address of a bulkup serve",
            hint="Use https://host:8765, and BULKUP_TOKEN for the token.",
        )
    if path and kind == scheme:
        raise UsageError(f"{redact(url)!r} is not a destination", hint=_hint_for(kind, url))
    if scheme == "http" and not is_loopback(host):
        raise UsageError(
            f"{redact(url)!r}: the token would be sent in clear text",
            hint=f"Use https://, or http:// through a tunnel to 127.0.0.1: {host} is another host.",
        )
    shown = f"[{host}]" if ":" in host else host
    if port not in (None, 443 if scheme == "https" else 80):
        shown = f"{shown}:{port}"
    return BrokerURL(f"{scheme}://{shown}", path)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host, a name or an address without brackets."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_broker(url: str) -> bool:
    """Whether a canonical URL is that of a `bulkup serve`."""
    return url.startswith(("http://", "https://", "broker+"))


def is_directory(url: str) -> bool:
    """Whether a canonical URL is the path of a directory."""
    return not url.startswith("s3://") and not is_broker(url)


def _wrong_bucket(name: str) -> str:
    if not name or "@" in name:
        return "names no bucket"
    if len(name) < 3 or len(name) > 255:
        return f"names a bucket of {len(name)} character{'s' if len(name) > 1 else ''}"
    return f"names no possible bucket: {name!r}"


def canonical(url: str) -> str:
    """The one way in which the manifest writes a destination. Raises UsageError.

    `s3://bucket/prefix` without a slash at its end, the absolute path of a directory, and
    `https://host:port`.
    """
    place = parse(url)
    return place if isinstance(place, str) else place.canonical


def prefix_of(url: str) -> str:
    """What all keys of the destination begin with: `prefix/` in a bucket, else nothing. Raises
    UsageError."""
    place = parse(url)
    return f"{place.prefix}/" if isinstance(place, BucketURL) and place.prefix else ""


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

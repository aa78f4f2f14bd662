"""Where objects live. `open_store` is the way in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from bulkup.errors import UsageError
from bulkup.stores.store import Capabilities, ObjectStore, PartStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bulkup.clock import Clock

__all__ = ["Capabilities", "ObjectStore", "PartStore", "open_store", "redact"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}").fullmatch


def open_store(
    url: str,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    endpoint_url: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    ca_bundle: str | None = None,
    capabilities: Capabilities | None = None,
    durable: bool = True,
    holds_objects: bool = False,
) -> PartStore:
    """The store at `s3://bucket/prefix`, `file:///directory`, or a plain path.

    No request is made yet. `ca_bundle` is the path of a PEM file (else AWS_CA_BUNDLE in
    `environ`), `abilities` what an earlier run learned, `durable` and `holds_objects` are for
    directories. Raises UsageError for anything else, and CredentialsRefused later, at the first
    request.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        if not url:
            raise UsageError("the destination is empty", hint="Use s3://bucket/prefix or a path.")
        return _open_directory(url, clock, durable, holds_objects)
    if scheme[1].lower() == "file":
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise UsageError(f"{redact(url)!r} names another machine or no directory")
        return _open_directory(unquote(parts.path), clock, durable, holds_objects)
    if scheme[1].lower() != "s3":
        raise UsageError(
            f"bulkup knows no destination of the kind {scheme[1]}://",
            hint="Use s3://bucket/prefix, file:///directory or a path.",
        )
    bucket, _, prefix = url[scheme.end() :].partition("/")
    if not _BUCKET(bucket):
        raise UsageError(
            f"{redact(url)!r} names no bucket", hint="Use s3://bucket or s3://bucket/prefix."
        )
    prefix = prefix.rstrip("/")
    pem = _read_pem(ca_bundle or environ.get("AWS_CA_BUNDLE"))
    from bulkup.stores.s3.credentials import find_credentials
    from bulkup.stores.s3.store import S3Store
    from bulkup.stores.s3.transport import S3Transport

    credentials = find_credentials(
        environ, profile=profile, region=region, endpoint_url=endpoint_url
    )
    return S3Store(
        url=f"s3://{bucket}/{prefix}".rstrip("/"),
        prefix=f"{prefix}/" if prefix else "",
        transport=S3Transport(bucket, credentials, ca_pem=pem, clock=clock),
        capabilities=capabilities or Capabilities(),
    )


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


def _open_directory(path: str, clock: Clock, durable: bool, holds_objects: bool) -> PartStore:
    from bulkup.stores.directory.store import DirectoryStore

    return DirectoryStore(
        str(Path(path).expanduser().absolute()),
        clock=clock,
        durable=durable,
        holds_objects=holds_objects,
    )


def _read_pem(path: str | None) -> bytes | None:
    if not path:
        return None
    try:
        pem = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise UsageError(f"the CA bundle {path!r} cannot be read: {error.strerror}") from error
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise UsageError(f"the CA bundle {path!r} holds no PEM certificate")
    return pem

"""Attributes of an object as HTTP headers, and back.

Metadata values that are not plain ASCII are percent-encoded as UTF-8 (RFC 3986), and so is '%', so
that every text is read back unchanged: `x-amz-meta-name: Stra%C3%9Fe.jpg`. The %XX in values of
other programs are decoded, too.
"""

from __future__ import annotations

import re
from base64 import b64encode
from urllib.parse import quote, unquote, urlencode

from bulkup.errors import DestinationUnreachable, StoreBroken, StoreRefused
from bulkup.model import Attributes, Digest, ObjectInfo
from bulkup.stores.attributes import DIGEST_NAME, is_metadata_name
from bulkup.stores.s3.http1 import Response

# Printable ASCII without '%', no blanks at the ends, no two in a row (SigV4 would fold them)
_PLAIN = re.compile(r"(?:[!-$&-~]+(?: [!-$&-~]+)*)?").fullmatch
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}").fullmatch
_SAFE = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) != "%")

SIZE_DIGITS = 19
"""Sizes with fewer digits fit into 64 bits."""

_META = "x-amz-meta-"
_names: dict[str, str] = {}  # header names by metadata name, for valid names


def put_headers(attributes: Attributes, digest: Digest | None) -> dict[str, str]:
    """Headers, by lower-case name, for PutObject and CreateMultipartUpload.

    `digest` becomes x-amz-meta-sha256. Raises StoreRefused for a metadata name that is no
    lower-case HTTP token: S3 would change it. (Ceph also changes '_' to '-'.)
    """
    headers = {"content-type": attributes.content_type}
    if digest is not None:
        headers["x-amz-meta-sha256"] = digest
    for name, value in attributes.metadata.items():
        header = _names.get(name) or _header_name(name)
        headers[header] = value if _PLAIN(value) else quote(value, safe=_SAFE)
    if attributes.cache_control is not None:
        headers["cache-control"] = attributes.cache_control
    if attributes.storage_class is not None:
        headers["x-amz-storage-class"] = attributes.storage_class
    if attributes.tags:
        headers["x-amz-tagging"] = urlencode(attributes.tags)
    return headers


def object_headers(
    attributes: Attributes, digest: Digest, *, checksums: bool, conditional: bool
) -> dict[str, str]:
    """Headers for PutObject of a body with `digest`. With `checksums` the endpoint compares and
    keeps it; with `conditional` it replaces no object. Raises as `put_headers` does."""
    headers = put_headers(attributes, digest)
    if checksums:
        headers["x-amz-checksum-sha256"] = checksum(digest)
    if conditional:
        headers["if-none-match"] = "*"
    return headers


def checksum(digest: Digest) -> str:
    """A digest in the form of S3's checksum headers: base64 of the 32 bytes."""
    return b64encode(bytes.fromhex(digest)).decode()


def read_info(key: str, response: Response) -> ObjectInfo:
    """The object that the headers of a response to HEAD describe. Raises StoreBroken."""
    header = response.get_header
    metadata = {
        name.removeprefix(_META): unquote(header(name) or "")
        for name in response.header_names()
        if name.startswith(_META)
    }
    digest = metadata.pop(DIGEST_NAME, "")
    length = header("content-length") or "0"
    if not (length.isascii() and length.isdigit() and len(length) < SIZE_DIGITS):
        raise StoreBroken(f"key {key!r}: the endpoint's Content-Length is no size")
    return ObjectInfo(
        key=key,
        size_bytes=int(length),
        etag=header("etag"),
        modified_at=http_moment(header("last-modified")),
        digest=Digest(digest) if _HEX_DIGEST(digest) else None,
        content_type=header("content-type"),
        metadata=metadata,
        checksum=header("x-amz-checksum-sha256"),
    )


def _header_name(name: str) -> str:
    if not is_metadata_name(name):
        raise StoreRefused(f"the metadata name {name!r} cannot be stored")
    return _names.setdefault(name, _META + name)


def http_moment(date: str | None) -> float | None:
    """An HTTP date as seconds since 1970; None for anything else."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except (ValueError, OverflowError):
        return None


_PAGE_BEGINS = (b"<!doctype html", b"<html")
PORTAL_HINT = (
    "A proxy or a sign-in page answers instead of the endpoint: sign in, or check --endpoint-url."
)


def require_no_page(response: Response, *, has_no_body: bool = False) -> None:
    """Raise DestinationUnreachable when a success is a page of a portal or a proxy.

    What an endpoint sends has an ETag or headers of S3. `has_no_body`: the body was not read, or
    the response has none, so that its type decides.
    """
    if response.has_text("\r\netag:") or response.has_text("\r\nx-amz-"):
        return
    if response.body:
        is_page = response.body[:100].lstrip().lower().startswith(_PAGE_BEGINS)
    else:
        is_page = has_no_body and "html" in (response.get_header("content-type") or "").lower()
    if is_page:
        raise DestinationUnreachable("a page came instead of an answer of S3", hint=PORTAL_HINT)


def etag_of(response: Response) -> str | None:
    """The ETag of what was put; None from an endpoint that sends none.

    Raises DestinationUnreachable for a page in its place, of a portal or a proxy, and StoreBroken
    for another document: nothing was stored.
    """
    etag = response.get_header("etag")
    if etag is None and response.body:
        require_no_page(response)
        raise StoreBroken("a PUT was answered with a document instead of an ETag")
    return etag

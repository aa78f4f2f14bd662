"""S3's XML documents: errors, listings, parts. Bytes in, values out.

All but `read_error` raise StoreBroken for another document, and for one that lacks something.

Shapes: Amazon S3 API Reference (ListObjectsV2, ListParts, ListMultipartUploads,
CompleteMultipartUpload, Error). Name spaces are ignored: endpoints differ in them.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from bulkup.errors import StoreBroken
from bulkup.model import Digest, ObjectInfo, Part
from bulkup.stores.s3.headers import SIZE_DIGITS, checksum

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NAME_SPACE = re.compile(rb'\sxmlns="[^"]*"')
# Keys may hold characters that XML 1.0 cannot, not even as references. Endpoints send them anyway
# where they repeat a key, in the one form or the other.
_CONTROL = re.compile(rb"&#(?:x0*([0-9a-fA-F]{1,4})|0*([0-9]{1,5}));|[\0-\x08\x0b\x0c\x0e-\x1f]")
_CONTROL_CODES = frozenset((*range(0x20), 0xFFFE, 0xFFFF)) - {0x09, 0x0A, 0x0D}
_STAND_INS = 0xF0000
_CONTROLS_BY_STAND_IN = {_STAND_INS + code: code for code in _CONTROL_CODES}

DIGEST_BYTES = 32


def read_error(body: bytes) -> tuple[str | None, str | None, str | None]:
    """Code, message and region of an error document, as they came; all None when `body` is no such
    document."""
    try:
        root = _parse(body)
    except StoreBroken:
        return None, None, None
    if root.tag != "Error":
        return None, None, None
    code, message, region = (root.findtext(name) or None for name in ("Code", "Message", "Region"))
    return code, message, region


def read_objects(body: bytes) -> tuple[list[ObjectInfo], dict[str, str] | None]:
    """A page of ListObjectsV2, in the endpoint's order, and the query for the next page."""
    root = _parse(body, "ListBucketResult")
    decode = _key_decoder(root)
    objects = [
        ObjectInfo(
            key=decode(_text(entry, "Key")),
            size_bytes=_whole(entry, "Size"),
            etag=entry.findtext("ETag"),
            modified_at=_moment(entry.findtext("LastModified")),
        )
        for entry in root.findall("Contents")
    ]
    if root.findtext("IsTruncated") != "true":
        return objects, None
    return objects, {"continuation-token": _text(root, "NextContinuationToken")}


def read_parts(body: bytes) -> tuple[list[Part], dict[str, str] | None]:
    """A page of ListParts, by number, and the query for the next page."""
    root = _parse(body)  # S3 calls it ListPartsResult, moto ListPartsResponse
    _text(root, "UploadId")
    parts = [
        Part(
            number=_whole(entry, "PartNumber"),
            size_bytes=_whole(entry, "Size"),
            etag=_text(entry, "ETag"),
            digest=_digest(entry.findtext("ChecksumSHA256")),
        )
        for entry in root.findall("Part")
    ]
    if root.findtext("IsTruncated") != "true" or not parts:
        return parts, None
    return parts, {"part-number-marker": _text(root, "NextPartNumberMarker")}


def read_uploads(
    body: bytes,
) -> tuple[list[tuple[str, str, float]], dict[str, str] | None]:
    """A page of ListMultipartUploads: (key, upload id, begun at), and the query for the next."""
    root = _parse(body, "ListMultipartUploadsResult")
    decode = _key_decoder(root)
    uploads = [
        (
            decode(_text(entry, "Key")),
            _text(entry, "UploadId"),
            _moment(entry.findtext("Initiated")) or 0.0,
        )
        for entry in root.findall("Upload")
    ]
    if root.findtext("IsTruncated") != "true" or not uploads:
        return uploads, None
    return uploads, {
        "key-marker": decode(_text(root, "NextKeyMarker")),
        "upload-id-marker": root.findtext("NextUploadIdMarker") or "",
    }


def read_value(body: bytes, root_name: str, name: str) -> str:
    """The text of one element of a result document."""
    return _text(_parse(body, root_name), name)


def write_completion(parts: Sequence[Part], *, checksums: bool) -> bytes:
    """The body of CompleteMultipartUpload; with `checksums`, each part names its SHA-256."""
    from html import escape

    lines = ['<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">']
    for part in parts:
        lines.append(
            f"<Part><PartNumber>{part.number}</PartNumber>"
            f"<ETag>{escape(part.etag, quote=False)}</ETag>"
        )
        if checksums and part.digest is not None:
            lines.append(f"<ChecksumSHA256>{checksum(part.digest)}</ChecksumSHA256>")
        lines.append("</Part>")
    lines.append("</CompleteMultipartUpload>")
    return "".join(lines).encode()


def write_restore(days: int) -> bytes:
    """The body of RestoreObject: a copy for so many days, at the standard tier."""
    return (
        '<RestoreRequest xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Days>{days}</Days><GlacierJobParameters><Tier>Standard</Tier></GlacierJobParameters>"
        "</RestoreRequest>"
    ).encode()


def _digest(text: str | None) -> Digest | None:
    """The digest of a checksum in base64; None for none or nonsense."""
    try:
        raw = b64decode(text or "", validate=True)
    except ValueError:
        return None
    return Digest(raw.hex()) if len(raw) == DIGEST_BYTES else None


def _parse(body: bytes, root_name: str | None = None) -> Element:
    """The root element. Raises StoreBroken for what is no XML, or another document."""
    # stdlib only: an entity can only be declared in a DOCTYPE, which S3 never sends
    from xml.etree.ElementTree import ParseError, fromstring

    if b"<!DOCTYPE" in body:
        raise StoreBroken("the endpoint answered with a document that is none of S3's")
    body = _NAME_SPACE.sub(b"", body, count=1)
    try:
        try:
            root = fromstring(body)  # noqa: S314 (no DOCTYPE, see above)
        except ParseError:
            root = fromstring(_CONTROL.sub(_stand_in, body))  # noqa: S314 (as above)
            for element in root.iter():
                element.text = (element.text or "").translate(_CONTROLS_BY_STAND_IN)
    except (ParseError, ValueError, LookupError) as error:  # the last two for odd encodings
        raise StoreBroken("the endpoint answered with something that is no XML") from error
    if root_name is not None and root.tag != root_name:
        raise StoreBroken(f"the endpoint answered something else than {root_name}")
    return root


def _stand_in(match: re.Match[bytes]) -> bytes:
    """A character of a private use area for a control character; references to others stay."""
    hexadecimal, decimal = match.groups()
    code = int(hexadecimal, 16) if hexadecimal else int(decimal or match[0][0])
    return chr(_STAND_INS + code).encode() if code in _CONTROL_CODES else match[0]


def _text(element: Element, name: str) -> str:
    text = element.findtext(name)
    if text is None:
        raise StoreBroken(f"the endpoint's {element.tag} lacks {name}")
    return text


def _whole(element: Element, name: str) -> int:
    text = _text(element, name)
    if not (text.isascii() and text.isdigit() and len(text) < SIZE_DIGITS):
        raise StoreBroken(f"the endpoint's {element.tag} has a {name} that is no number")
    return int(text)


def _key_decoder(root: Element) -> Callable[[str], str]:
    """How keys are read: with encoding-type=url they are form-encoded, and '+' is a blank."""
    return unquote_plus if root.findtext("EncodingType") == "url" else str


def _moment(text: str | None) -> float | None:
    """An ISO 8601 time stamp as seconds since 1970; None for none or nonsense."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

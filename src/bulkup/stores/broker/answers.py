"""What the server answers: fields of JSON objects, each of its type."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bulkup.errors import StoreBroken
from bulkup.model import Digest, ObjectInfo


def objects_of(found: dict[str, Any]) -> list[ObjectInfo]:
    """The files of an answer as objects. Raises StoreBroken when one lacks what is needed."""
    return [
        ObjectInfo(
            key=text_of(one, "path"),
            size_bytes=whole_of(one, "size_bytes"),
            etag=one.get("etag"),
            modified_at=datetime.fromisoformat(text_of(one, "stored_at")).timestamp(),
            digest=Digest(text_of(one, "digest")),
            content_type=one.get("media_type"),
        )
        for one in found.get("files") or ()
    ]


def text_of(found: dict[str, Any], field: str) -> str:
    """The text of a field. Raises StoreBroken."""
    value = found.get(field)
    if not isinstance(value, str):
        raise _malformed(field)
    return value


def whole_of(found: dict[str, Any], field: str) -> int:
    """The integer of a field. Raises StoreBroken."""
    value = found.get(field)
    if not isinstance(value, int):
        raise _malformed(field)
    return value


def _malformed(field: str) -> StoreBroken:
    return StoreBroken(f"the server's answer has no {field}")

"""What a client announces: read from JSON, with nothing believed that would leave its folder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from bulkup.content.media import media_type as guess_media_type
from bulkup.errors import UsageError
from bulkup.manifest.uploads.files import split
from bulkup.manifest.uploads.rows import Announced
from bulkup.model import MAX_NS, Digest, clamp_ns
from bulkup.run.store_reader import INTERNAL
from bulkup.stores.keys import KEY_LIMIT_BYTES

LEAST_PART_BYTES = 5 * 1024**2
MOST_PART_BYTES = 5 * 1024**3
MOST_PARTS = 10_000
"""Of S3 ("Amazon S3 multipart upload limits", Amazon S3 User Guide)."""
PART_STEP_BYTES = 1024**2

_HEX = re.compile(r"[0-9a-f]{64}").fullmatch
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; *[\w.+-]+=[\w.+-]+)*", re.ASCII).fullmatch


class Announcement(NamedTuple):
    """A file to upload; without `may_rename`, under its own path or not at all."""

    file: Announced
    may_rename: bool


def read_announcement(
    document: Mapping[str, Any],
    *,
    owner: str,
    part_threshold_bytes: int | None,
    part_bytes: int,
    now: float,
) -> Announcement:
    """What the body of `POST /uploads` says. Contents from `part_threshold_bytes` on are sent in
    parts, of `part_bytes` unless the client wants others; smaller ones only if it wants parts.
    Raises UsageError."""
    size_bytes = _integer(document, "size_bytes", least=0, most=MOST_PARTS * MOST_PART_BYTES)
    digest = str(document.get("sha256", "")).lower()
    if not _HEX(digest):
        raise UsageError("sha256: 64 hexadecimal digits are needed, of the whole file")
    folder, name = split(_path(document))
    wants_parts = document.get("part_bytes") is not None and size_bytes > 0
    has_parts = part_threshold_bytes is not None and (
        wants_parts or size_bytes >= part_threshold_bytes
    )
    file = Announced(
        Digest(digest),
        size_bytes,
        _media_type(document, name),
        folder,
        name,
        _modified_ns(document, now),
        owner,
        _part_bytes(document, size_bytes, part_bytes) if has_parts else None,
    )
    return Announcement(file, may_rename=_may_rename(document))


def _may_rename(document: Mapping[str, Any]) -> bool:
    value = document.get("rename", True)
    if not isinstance(value, bool):
        raise UsageError("rename: true or false is needed")
    return value


def _integer(document: Mapping[str, Any], field: str, *, least: int, most: int) -> int:
    value = document.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"{field}: a whole number from {least:,} to {most:,} is needed")
    return value


def _path(document: Mapping[str, Any]) -> str:
    """The file's path: `path` where it ends in the name, else the name in the folder `path`."""
    name, path = document.get("name"), document.get("path")
    if not (isinstance(name, str) and isinstance(path, str | None)):
        raise UsageError("name and path: texts are needed")
    name = name or (path or "").rpartition("/")[2]
    path = path or name
    if path != name and not path.endswith(f"/{name}"):
        path = f"{path.rstrip('/')}/{name}"
    require_path(path)
    return path


def require_path(path: str) -> None:
    """Raise UsageError for a path that leads anywhere but below its root."""
    steps = path.split("/")
    if any(step in ("", ".", "..") for step in steps):
        raise UsageError("path: it must lead below a folder, without empty steps, '.' and '..'")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        raise UsageError("path: it has control characters, or is no Unicode")
    if len(path.encode()) > KEY_LIMIT_BYTES - 256 or any(len(s.encode()) > 255 for s in steps):
        raise UsageError("path: it is too long")
    if f"{steps[0]}/" == INTERNAL:
        raise UsageError(f"path: {INTERNAL} is bulkup's own")


def _media_type(document: Mapping[str, Any], name: str) -> str:
    value = document.get("media_type") or guess_media_type(name, b"")
    if not isinstance(value, str) or len(value) > 200 or not _MEDIA_TYPE(value):
        raise UsageError("media_type: a type like image/jpeg is needed")
    return value


def _modified_ns(document: Mapping[str, Any], now: float) -> int:
    """`modified_ns` for programs that know it to the nanosecond, else `modified_at`, else now."""
    if document.get("modified_ns") is not None:
        return _integer(document, "modified_ns", least=-MAX_NS, most=MAX_NS)
    value = document.get("modified_at")
    value = now if value is None else value
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool):
            # A float has no nanoseconds since 1970: only microseconds are kept.
            return clamp_ns(round(value * 1_000_000) * 1000)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"modified_at: {value!r} is no time") from error
    raise UsageError("modified_at: a time in ISO 8601, or seconds since 1970, is needed")


def _part_bytes(document: Mapping[str, Any], size_bytes: int, usual: int) -> int:
    least = max(LEAST_PART_BYTES, -(-size_bytes // MOST_PARTS))
    if document.get("part_bytes") is not None:
        return _integer(document, "part_bytes", least=least, most=MOST_PART_BYTES)
    return max(usual, -(-least // PART_STEP_BYTES) * PART_STEP_BYTES)

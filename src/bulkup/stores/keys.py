"""The keys of files. Pure.

A key is the file's own path: NFC and NFD names stay as they are. Only bytes that are no UTF-8 are
changed: they become %XX.
"""

from __future__ import annotations

from bulkup.model import Digest, ObjectInfo
from bulkup.stores.key_templates import KeyFacts, is_template, templated_key

Layout = str
"""`path`, `content`, or a template of keys."""

KEY_LIMIT_BYTES = 1024
"""The longest key of S3, in bytes of UTF-8 ("Naming Amazon S3 objects", Amazon S3 User Guide)."""


NAME_LIMIT_BYTES = 255
"""The longest name of a file or folder where a destination is a directory."""


def key_for(
    prefix: str, path: str, digest: Digest, layout: Layout, facts: KeyFacts | None = None
) -> str:
    """The key of a file: `prefix/relative/path`, `prefix/ab/cd/<digest>.<ext>`, or by a template,
    which needs `facts`.

    `prefix` is '' or ends in '/'. `path` is relative to the root; for a member of an archive it
    holds the archive's path and a '#'.
    """
    if layout == "content":
        return f"{prefix}{digest[:2]}/{digest[2:4]}/{digest}{_ending(path).lower()}"
    if is_template(layout):
        return prefix + as_utf8(templated_key(layout, path, digest, facts or KeyFacts()))
    return prefix + as_utf8(path)


def spare_key(key: str, digest: Digest) -> str:
    """The key for a content whose own key is taken by another: `name~<8 hex of digest>.ext`, with
    a name that is cut where it would be too long for a file."""
    folder, slash, name = key.rpartition("/")
    ending = _ending(name)
    if len(ending.encode()) > NAME_LIMIT_BYTES // 2:  # no extension of anything
        ending = ""
    mark = f"~{digest[:8]}{ending}"
    return f"{folder}{slash}{_cut(name[: len(name) - len(ending)], len(mark.encode()))}{mark}"


def spare_folder_key(key: str, digest: Digest, prefix: str = "") -> str | None:
    """The key for a content whose path cannot be made since one of its folders is an object:
    `<prefix>folder~<8 hex of digest>/name.ext`. None for a key without folders."""
    folder, slash, rest = key.removeprefix(prefix).partition("/")
    mark = f"~{digest[:8]}"
    return f"{prefix}{_cut(folder, len(mark))}{mark}/{rest}" if slash else None


def _cut(name: str, room_bytes: int) -> str:
    """The name without its end, where that and so many bytes would be too long for a file."""
    while len(name.encode(errors="surrogateescape")) + room_bytes > NAME_LIMIT_BYTES:
        name = name[:-1]
    return name


def as_utf8(path: str) -> str:
    """The path with each byte that is no UTF-8 written as %XX."""
    try:
        path.encode()
    except UnicodeEncodeError:  # surrogate escapes (PEP 383): U+DC80 and so on
        return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c < "\ue000" else c for c in path)
    return path


def _ending(path: str) -> str:
    """The extension with its dot; '' for none, for dot files and for anything but a word."""
    name = path.rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    if not stem.strip(".") or not ending.isalnum():
        return ""
    return dot + ending


def is_folder_marker(info: ObjectInfo) -> bool:
    """Whether the object only stands for a folder: empty, and `name/` as S3 consoles make them or
    `name_$folder$` as Hadoop's tools do."""
    return info.size_bytes == 0 and info.key.endswith(("/", "_$folder$"))

"""Which key a file goes under. Pure.

Keys are what the destination shows for ever, so they are made of the file's own path, not
normalised: NFC and NFD names stay what they are. Only what cannot be a key is changed: bytes that
are no UTF-8 become %XX.
"""

from __future__ import annotations

import os
from typing import Literal

from bulkup.model import Digest

Layout = Literal["path", "content"]

KEY_LIMIT_BYTES = 1024
"""The longest key S3 takes, in bytes of UTF-8 (S3 user guide, "Naming Amazon S3 objects")."""


def key_for(prefix: str, path: str, digest: Digest, layout: Layout) -> str:
    """The key of a file: `prefix/relative/path`, or `prefix/ab/cd/<digest>.<ext>`.

    `prefix` is '' or ends in '/'. `path` is relative to the root; for a member of an archive it
    holds the archive's path and a '#'.
    """
    if layout == "content":
        return f"{prefix}{digest[:2]}/{digest[2:4]}/{digest}{_ending(path).lower()}"
    return prefix + as_utf8(path)


def spare_key(key: str, digest: Digest) -> str:
    """The key for a content whose own key holds another one: `name~<8 hex of digest>.ext`."""
    ending = _ending(key)
    stem = key[: len(key) - len(ending)]
    return f"{stem}~{digest[:8]}{ending}"


def as_utf8(path: str) -> str:
    """The path with each byte that is no UTF-8 written as %XX."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path).decode("utf-8", errors="percent")
    return path


def _ending(path: str) -> str:
    """The extension with its dot; '' for none, for dot files and for endings that are no word."""
    name = path.rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    if not stem.strip(".") or not ending.isalnum():
        return ""
    return dot + ending


def _percent(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    bad = error.object[error.start : error.end]
    return "".join(f"%{byte:02X}" for byte in bad), error.end


def _register() -> None:
    import codecs

    codecs.register_error("percent", _percent)


_register()

"""The operating system's errors about a file, classified. Pure."""

from __future__ import annotations

import errno

from bulkup.errors import SourceError, SourceMissing, SourceUnavailable, SourceUnreadable

_NO_PATH = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_NO_FILE = (errno.EISDIR, errno.ELOOP, errno.ENXIO)  # a folder, a link to itself, a socket

_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE})
"""Out of descriptors or memory, or a failing disk or network mount (errno(3)). These may pass by
themselves, unlike a missing permission."""


def kind_of(error: OSError) -> type[SourceError]:
    """SourceMissing, SourceUnavailable (worth another try) or SourceUnreadable."""
    if error.errno in (*_NO_PATH, *_NO_FILE):
        return SourceMissing
    return SourceUnavailable if error.errno in _PASSING else SourceUnreadable

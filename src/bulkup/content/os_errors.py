"""The operating system's errors about a file, classified. Pure."""

from __future__ import annotations

import errno

from bulkup.errors import SourceError, SourceMissing, SourceUnavailable, SourceUnreadable

_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE})
"""Out of descriptors or memory, or a failing disk or network mount (errno(3)). These may pass by
themselves, unlike a missing permission."""


def kind_of(error: OSError) -> type[SourceError]:
    """SourceMissing, SourceUnavailable (worth another try) or SourceUnreadable."""
    is_absent = isinstance(error, (FileNotFoundError, NotADirectoryError))
    if is_absent or error.errno == errno.ENAMETOOLONG:  # no file has such a path
        return SourceMissing
    return SourceUnavailable if error.errno in _PASSING else SourceUnreadable

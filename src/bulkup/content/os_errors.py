"""What the operating system's errors about a file mean. Pure."""

from __future__ import annotations

import errno

from bulkup.errors import SourceError, SourceMissing, SourceUnavailable, SourceUnreadable

_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE})
"""No descriptors, no memory, a disk or a network mount that fails (errno(3)): another time they
may not, while a permission comes back by someone's hand only."""


def kind_of(error: OSError) -> type[SourceError]:
    """SourceMissing, SourceUnavailable (it may be read another time) or SourceUnreadable."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return SourceMissing
    return SourceUnavailable if error.errno in _PASSING else SourceUnreadable

"""The directory of a destination: that it is there and still the same one, and its folders."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from bulkup.errors import BucketMissing, CredentialsRefused, DestinationError


class Root:
    """The directory at `path`. A disk can be unmounted at any time: its mount point stays, empty,
    and belongs to another disk, where nothing may be written."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._identity: tuple[int, int] | None = None  # device and inode

    def remember(self) -> None:
        """Note which directory is there now. Raises OSError."""
        self._identity = _identity(os.stat(self.path))

    def require(self) -> None:
        """Raise BucketMissing unless the directory is the one that was remembered. Passes while
        none is."""
        if self._identity is None:
            return
        try:
            found = os.stat(self.path)
        except OSError as error:
            raise self._gone() from error
        self._require_same(found)

    def look(self, *, held_objects: bool) -> None:
        """Remember the directory, if it exists and is not empty: a mount point without its disk is
        an empty directory. Raises DestinationError; `held_objects` is for its text."""
        try:
            with os.scandir(self.path) as entries:
                if next(entries, None) is not None:
                    self.require()
                    self.remember()
                    return
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._missing(
                "is not there", "was there before and is gone", held_objects=held_objects
            ) from error
        except OSError as error:
            raise CredentialsRefused(
                f"{self.path!r} cannot be read: {error.strerror}", hint="Change its permissions."
            ) from error
        raise self._missing(
            "is empty", "had objects before and is empty", held_objects=held_objects
        )

    def _missing(self, now: str, since: str, *, held_objects: bool) -> BucketMissing:
        if not held_objects:
            return BucketMissing(f"the directory {self.path!r} {now}", hint="Is its disk mounted?")
        return BucketMissing(
            f"{self.path!r} {since}; is it mounted?",
            hint=f"If it was removed for good: make {os.path.join(self.path, '.bulkup')!r}, "
            "then bulkup verify and bulkup retry --failed send everything again.",
        )

    def foresee(self) -> None:
        """Raise DestinationError where the directory is not there and cannot be created, or may not
        be written, as far as that shows without a write."""
        folder = self.path if os.path.lexists(self.path) else os.path.dirname(self.path)
        try:
            if not stat.S_ISDIR(os.stat(folder).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise unusable(self.path, error) from error

    def make_folders(self, folder: str) -> None:
        """Create the folders of a path relative to the directory; never the directory itself.

        Raises OSError (NotADirectoryError where an object is in the way) and BucketMissing.
        """
        try:
            at = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise self._gone() from error
        try:
            self._require_same(os.fstat(at))
            path = ""
            for name in folder.strip("/").split("/"):
                path += name
                _make_folder(path, at)
                path += "/"
        finally:
            os.close(at)

    @contextmanager
    def open_folder(self, folder: str) -> Iterator[int]:
        """A descriptor of a folder below the directory, reached without following links: for what
        removes files. Raises OSError, for a link too."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        at = os.open(self.path, flags)
        try:
            for name in folder.strip("/").split("/"):
                above, at = at, os.open(name, flags | os.O_NOFOLLOW, dir_fd=at)
                os.close(above)
            yield at
        finally:
            os.close(at)

    def _require_same(self, found: os.stat_result) -> None:
        if self._identity not in (None, _identity(found)):
            raise self._gone()

    def _gone(self) -> BucketMissing:
        return BucketMissing(
            f"{self.path!r} is gone, or no longer the directory it was; is its disk mounted?",
            hint="Mount it, then run bulkup resume.",
        )


def unusable(root: str, error: OSError) -> DestinationError:
    """The error for a directory that cannot be created or written."""
    if isinstance(error, FileNotFoundError):
        return BucketMissing(
            f"the directory above {root!r} does not exist",
            hint="Create it, or mount its disk, and run again.",
        )
    if isinstance(error, PermissionError):
        return CredentialsRefused(
            f"{root!r} may not be written", hint="Change its permissions, or name another --to."
        )
    return DestinationError(f"{root!r} cannot be used: {error.strerror}")


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _make_folder(path: str, at: int) -> None:
    try:
        os.mkdir(path, dir_fd=at)
    except FileExistsError as error:
        try:
            is_folder = stat.S_ISDIR(os.stat(path, dir_fd=at).st_mode)
        except OSError as unreadable:  # a link to nothing, or in a loop
            if unreadable.errno not in (errno.ENOENT, errno.ELOOP):
                raise
            is_folder = False
        if not is_folder:
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory") from error

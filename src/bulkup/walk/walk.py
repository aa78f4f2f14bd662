"""The files of a root, folder by folder."""

from __future__ import annotations

import codecs
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bulkup.errors import ErrorClass, UsageError
from bulkup.model import LeftOut
from bulkup.walk.copy_names import has_copies
from bulkup.walk.filters import IGNORE_FILE, NO_IGNORES, Ignores, Rules, Selection
from bulkup.walk.folder_files import FolderFiles
from bulkup.walk.listing import (
    CHUNK_NAMES,
    Draft,
    FolderListing,
    error_class_of,
    in_order,
    is_archive_name,
    text_of,
    unread,
)
from bulkup.walk.roots import OPEN_FILE, add_named, check_root

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from bulkup.walk.own_files import OwnFolder

_OPEN_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY

LOOP: Final = "symbolic link loop: the folder contains the link"
DESTINATION: Final = "the destination, reached from the source"


def walk(
    root: str,
    selection: Selection,
    *,
    enters: Callable[[str], bool] | None = None,
    is_named: Callable[[str], bool] = lambda _: False,
    destination: OwnFolder | None = None,
) -> Iterator[FolderListing]:
    """All listings of `root`, depth first, in an order that depends on names alone.

    A folder's files come first, in chunks of at most CHUNK_NAMES names; then its archives, as
    folders; then its subfolders; each by `in_order`. Where files are named as copies, subfolders
    come first: the originals may be there. Every folder has at least one listing. Memory holds the
    names of the folders on the current path only.

    An error inside the root is a LeftOut with an error class. UsageError is raised, before the
    first listing, for a root that cannot be read and for a bad pattern. With `follow_symlinks`,
    links to a directory above the link are left out as loops, and all other links are followed. A
    root that is a link is always followed. A root that is a single file may be hidden and of any
    kind, since the user named it.

    With `enters`, folders (ending in '/') and archives (ending in '#') for which it is false are
    skipped, as if they did not exist. Folders for which `is_named` is true are entered whatever the
    rules say. The folder of `destination` is left out wherever it is reached.
    """
    check_root(root)
    rules = Rules(selection)
    if os.path.isdir(root):
        yield from _Tree(root, rules, enters, is_named, destination).listings()
        return
    name = os.path.basename(root)
    if is_archive_name(name) and not selection.all_files:
        yield from _listings_in(root, name, rules, NO_IGNORES)
        return
    draft = Draft()
    add_named(draft, root, "", name, rules)
    yield FolderListing("", draft.files, draft.left_out)


def _listings_in(
    archive: str, path: str, rules: Rules, ignores: Ignores
) -> Iterator[FolderListing]:
    """The members of an archive; most folders have none, and need not import what reads them."""
    from bulkup.walk.archive_members import archive_listings

    return archive_listings(archive, path, rules, ignores)


class _Tree:
    """The walk of one directory."""

    def __init__(
        self,
        root: str,
        rules: Rules,
        enters: Callable[[str], bool] | None,
        is_named: Callable[[str], bool],
        destination: OwnFolder | None,
    ) -> None:
        self._destination = destination
        self._enters = enters
        self._is_named = is_named
        self._root = root.rstrip("/") + "/"
        self._rules = rules
        self._follows = rules.selection.follow_symlinks
        self._files = FolderFiles(rules)

    def listings(self) -> Iterator[FolderListing]:
        stack = [_Level("", iter([""]), [], NO_IGNORES, frozenset(), is_listed=True)]
        while stack:
            level = stack[-1]
            folder = next(level.subfolders, None)
            if folder is not None:
                below = yield from self._enter(folder, level)
                if below is not None:
                    stack.append(below)
                continue
            stack.pop()
            if not level.is_listed:
                yield from self._files_of(level)

    def _enter(self, folder: str, outer: _Level) -> Generator[FolderListing, None, _Level | None]:
        """Return the folder's level. Its own files are listed at once, unless some are named as
        copies of what may be below."""
        ignores, above = outer.ignores, outer.above
        if folder and self._is_named(folder):
            ignores = NO_IGNORES  # as if it were the root
        archives: list[str] = []
        try:
            with self._opened(folder) as fd:
                if self._is_destination(folder, fd):
                    yield _not_entered(folder, DESTINATION)
                    return None
                if self._follows:
                    found = os.fstat(fd)
                    identity = (found.st_dev, found.st_ino)
                    if identity in above:
                        yield _not_entered(folder, LOOP)
                        return None
                    above |= {identity}
                names, subfolders = _names(fd, follow_symlinks=self._follows)
                if IGNORE_FILE in names:
                    ignores = ignores.with_file(folder, _ignore_text(fd))
                wanted, left_out = self._wanted_folders(folder, subfolders, ignores)
                level = _Level(folder, iter(wanted), left_out, ignores, above)
                if wanted and has_copies(names):
                    return level
                yield from self._chunks(fd, names, level, archives)
        except (OSError, UsageError) as error:
            yield _unread(folder, error)
            return None
        yield from self._members(folder, archives, ignores)
        level.is_listed = True
        return level

    def _files_of(self, level: _Level) -> Iterator[FolderListing]:
        """The listings of the folder itself and of its archives."""
        folder, archives = level.folder, list[str]()
        try:
            with self._opened(folder) as fd:
                names, _ = _names(fd, follow_symlinks=self._follows)
                yield from self._chunks(fd, names, level, archives)
        except (OSError, UsageError) as error:
            yield _unread(folder, error)
            return
        yield from self._members(folder, archives, level.ignores)

    @contextmanager
    def _opened(self, folder: str) -> Iterator[int]:
        flags = _OPEN_FOLDER if self._follows or not folder else _OPEN_FOLDER | os.O_NOFOLLOW
        fd = os.open(self._root + folder, flags)
        try:
            yield fd
        finally:
            os.close(fd)

    def _is_destination(self, folder: str, fd: int) -> bool:
        own = self._destination
        return own is not None and own.holds(self._root + folder, fd, follows=self._follows)

    def _members(
        self, folder: str, archives: list[str], ignores: Ignores
    ) -> Iterator[FolderListing]:
        for name in archives:
            path = folder + name
            if self._enters is None or self._enters(f"{path}#"):
                yield from _listings_in(self._root + path, path, self._rules, ignores)

    def _chunks(
        self, fd: int, names: list[str], level: _Level, archives: list[str]
    ) -> Iterator[FolderListing]:
        """Yield the chunks of the open folder; fill `archives`."""
        folder, names = level.folder, in_order(names)
        for start in range(0, len(names) or 1, CHUNK_NAMES):
            chunk = names[start : start + CHUNK_NAMES]
            is_last = start + CHUNK_NAMES >= len(names)
            draft = Draft()
            self._files.add(draft, fd, folder, chunk, level.ignores)
            if is_last:
                draft.left_out += level.left_out
            archives += draft.archives
            yield FolderListing(
                folder=folder,
                files=draft.files,
                left_out=draft.left_out,
                archives=draft.archives,
                after=names[start - 1] if start else None,
                upto=None if is_last else chunk[-1],
            )

    def _wanted_folders(
        self, folder: str, names: list[str], ignores: Ignores
    ) -> tuple[list[str], list[LeftOut]]:
        """The paths of the subfolders to enter, and why the others are not."""
        wanted, left_out = [], []
        for name in in_order(names):
            path = f"{folder}{name}/"
            if self._enters is not None and not self._enters(path):
                continue
            is_named = self._is_named(path)
            reason = None if is_named else self._rules.why_not_folder(path, ignores)
            if reason is None:
                wanted.append(path)
            else:
                left_out.append(LeftOut(folder, f"{name}/", reason))
        return wanted, left_out


@dataclass(slots=True)
class _Level:
    """A folder whose subfolders are being walked."""

    folder: str
    subfolders: Iterator[str]  # paths still to enter
    left_out: list[LeftOut]  # of the subfolders
    ignores: Ignores
    above: frozenset[tuple[int, int]]  # ids of the folder and those above it, if links are followed
    is_listed: bool = False  # its own files


def _names(fd: int, *, follow_symlinks: bool) -> tuple[list[str], list[str]]:
    """Names in the open folder: files, and folders (with links to folders, if followed)."""
    names: list[str] = []
    subfolders: list[str] = []
    with os.scandir(fd) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False) or (
                follow_symlinks and entry.is_symlink() and _leads_to_folder(entry)
            )
            (subfolders if is_folder else names).append(entry.name)
    return names, subfolders


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # for instance a link to itself: the later stat gives the reason
        return False


def _ignore_text(fd: int) -> str:
    """The text of the folder's ignore file; '' for a dangling link or a special file, as in git.

    Bytes that are not UTF-8 are surrogate-escaped and match themselves. Raises OSError.
    """
    try:
        ignore = os.open(IGNORE_FILE, OPEN_FILE, dir_fd=fd)
        with os.fdopen(ignore, "rb") as file:
            data = file.read() if stat.S_ISREG(os.fstat(ignore).st_mode) else b""
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise OSError(error.errno, f"{IGNORE_FILE}: {error.strerror}") from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # of Notepad and PowerShell
        return data.decode("utf-16", "replace")
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _unread(folder: str, error: OSError | UsageError) -> FolderListing:
    if isinstance(error, UsageError):  # a bad pattern: rather nothing of it than too much
        return unread(folder, str(error), ErrorClass.INVALID)
    return unread(folder, text_of(error), error_class_of(error))


def _not_entered(folder: str, reason: str) -> FolderListing:
    above = folder.rfind("/", 0, -1) + 1
    return FolderListing(folder, left_out=(LeftOut(folder[:above], folder[above:], reason),))

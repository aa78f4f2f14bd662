"""Which files are taken: pure rules over names, sizes and dates, without I/O.

The first rule that applies gives the reason, in this order: junk, hidden, `--exclude`,
`.bulkupignore`, `--include`, kind (pictures, videos and sidecars unless `all_files`), size, date.
Patterns have gitignore's syntax. As there, a later pattern cannot bring back a file below an
excluded folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bulkup.content.media import is_media_name, is_other_name
from bulkup.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pathspec import GitIgnoreSpec

IGNORE_FILE: Final = ".bulkupignore"

# Files and folders that systems, photo software and interrupted downloads leave behind, in lower
# case: macOS, Windows, Synology and QNAP, Picasa, Android, Linux desktops, bulkup itself.
_JUNK_NAMES: Final = frozenset(
    {
        *(".ds_store", ".localized", ".spotlight-v100", ".trashes", ".trash", ".fseventsd"),
        *(".temporaryitems", ".documentrevisions-v100", ".apdisk", ".appledouble", "__macosx"),
        *(".volumeicon.icns", "icon\r", "thumbs.db", "thumbs.db:encryptable", "ehthumbs.db"),
        *("ehthumbs_vista.db", "desktop.ini", "$recycle.bin", "recycler"),
        *("system volume information", "@eadir", "@synoresource", ".synologyworkingdirectory"),
        *("#recycle", "#snapshot", "@recycle", "@recently-snapshot", ".@__thumb"),
        *(".@upload_cache", ".picasa.ini", "picasa.ini", ".picasaoriginals", ".nomedia"),
        *(".thumbnails", ".thumbcache", ".directory", "lost+found", ".bulkup", ".bulkupignore"),
    }
)
_JUNK_STARTS: Final = ("._", ".trash-", ".nfs", "~$", ".syncthing.", ".~lock.")
_JUNK_ENDS: Final = (".part", ".crdownload", ".partial", ".tmp", ".temp", ".swp", ".download", "~")

JUNK: Final = "junk"
HIDDEN: Final = "hidden (--hidden takes it)"
NO_MEDIA: Final = "no picture or video (--all-files takes it)"
EXCLUDED: Final = "--exclude"
NOT_INCLUDED: Final = "no --include matches"


@dataclass(frozen=True, slots=True)
class Selection:
    """The files that the user asked for. Dates are compared with mtime, in seconds since 1970."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    all_files: bool = False
    hidden: bool = False
    follow_symlinks: bool = False
    min_size_bytes: int | None = None  # inclusive
    max_size_bytes: int | None = None  # inclusive
    newer_than: float | None = None  # modified at this time or later
    older_than: float | None = None  # modified before this time
    at_rest_since: float | None = None  # see `walk.at_rest`


class Ignores:
    """The `.bulkupignore` files that apply to one folder, the deepest first. Immutable."""

    __slots__ = ("_chain",)

    def __init__(self, chain: tuple[tuple[str, GitIgnoreSpec], ...] = ()) -> None:
        self._chain = chain

    def __bool__(self) -> bool:
        return bool(self._chain)

    def with_file(self, folder: str, text: str) -> Ignores:
        """These, preceded below `folder` by the patterns of `text`. Raises UsageError."""
        spec = compiled(text.splitlines(), f"{folder}{IGNORE_FILE}")
        return Ignores(((folder, spec), *self._chain))

    def why_not(self, path: str) -> str | None:
        """The reason if the deepest file that matches `path` ignores it; folders end in '/'."""
        for folder, spec in self._chain:
            verdict = spec.check_file(path[len(folder) :]).include
            if verdict is not None:
                return f"{folder}{IGNORE_FILE}" if verdict else None
        return None


NO_IGNORES: Final = Ignores()


class Rules:
    """A Selection with its patterns compiled. Raises UsageError for a bad pattern.

    Paths are relative to the root, with '/' between folders. A ZIP archive counts as a folder:
    `archive.zip#trip/one.jpg` is matched as `archive.zip/trip/one.jpg`.
    """

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self._include = compiled(selection.include, "--include") if selection.include else None
        self._exclude = compiled(selection.exclude, "--exclude") if selection.exclude else None
        self.has_filters = bool(selection.include or selection.exclude) or any(
            bound is not None
            for bound in (
                selection.min_size_bytes,
                selection.max_size_bytes,
                selection.newer_than,
                selection.older_than,
            )
        )
        """Whether more than a path's last component decides: then `why_filtered` is needed."""

    def why_not_name(self, name: str) -> str | None:
        """Junk or hidden, by the last component of a file's or folder's path."""
        if why_junk(name) is not None:
            return JUNK
        return HIDDEN if name.startswith(".") and not self.selection.hidden else None

    def is_wanted_kind(self, name: str) -> bool | None:
        """Whether a file of this name has a wanted kind; None: its first bytes must decide."""
        if self.selection.all_files or is_media_name(name):
            return True
        return False if is_other_name(name) else None

    def why_not_folder(self, path: str, ignores: Ignores) -> str | None:
        """Why nothing in the folder `path`, which ends in '/', is taken, or None."""
        name = path[path.rfind("/", 0, -1) + 1 : -1]
        return self.why_not_name(name) or self.why_excluded(path, ignores)

    def why_not_above(self, path: str) -> str | None:
        """Junk or hidden, by the folders above the file `path`."""
        for folder in path.split("/")[:-1]:
            reason = self.why_not_name(folder)
            if reason is not None:
                return reason
        return None

    def why_excluded(self, path: str, ignores: Ignores = NO_IGNORES) -> str | None:
        """Why `--exclude` or an ignore file leaves out the file or archive `path`, or None."""
        if self._exclude is not None and self._exclude.match_file(path):
            return EXCLUDED
        return ignores.why_not(path) if ignores else None

    def why_filtered(self, path: str, ignores: Ignores = NO_IGNORES) -> str | None:
        """Why the patterns, including `--include`, leave out the file `path`, or None."""
        reason = self.why_excluded(path, ignores)
        if reason is not None:
            return reason
        if self._include is not None and not self._include.match_file(path):
            return NOT_INCLUDED
        return None

    def why_not_stat(self, size_bytes: int, modified_ns: int) -> str | None:
        """Why a file of this size and date is left out, or None."""
        chosen = self.selection
        if chosen.min_size_bytes is not None and size_bytes < chosen.min_size_bytes:
            return f"smaller than {chosen.min_size_bytes} bytes"
        if chosen.max_size_bytes is not None and size_bytes > chosen.max_size_bytes:
            return f"larger than {chosen.max_size_bytes} bytes"
        seconds = modified_ns / 1e9
        if chosen.newer_than is not None and seconds < chosen.newer_than:
            return "older than --newer-than"
        if chosen.older_than is not None and seconds >= chosen.older_than:
            return "newer than --older-than"
        return None

    def why_not_named(self, path: str) -> str | None:
        """Why the file `path` is left out although the user named it: junk or a pattern."""
        return why_junk(path[path.rfind("/") + 1 :]) or self.why_filtered(path)


def why_junk(name: str) -> str | None:
    """JUNK if a file or folder of this name is never taken, not even with `all_files`."""
    low = name.lower()
    if low in _JUNK_NAMES or low.startswith(_JUNK_STARTS) or low.endswith(_JUNK_ENDS):
        return JUNK
    return None


def compiled(patterns: Iterable[str], origin: str) -> GitIgnoreSpec:
    """Compiled gitignore patterns. Raises UsageError that names `origin` and the pattern."""
    from pathspec import GitIgnoreSpec

    lines: Sequence[str] = list(patterns)
    try:
        return GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error) as error:
        raise UsageError(f"{origin}: {error}") from error

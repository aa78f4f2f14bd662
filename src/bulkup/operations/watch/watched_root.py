"""One watched folder: whether it is there, and which of its files may have changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from bulkup.events import Event, one_line
from bulkup.settings.watch_options import WatchOptions
from bulkup.walk.file_events import FolderEvents, OnChange
from bulkup.walk.filters import IGNORE_FILE, Rules
from bulkup.walk.listing import is_archive_name
from bulkup.walk.mounts import mount_of, read_mounts

RootState = Literal["watched", "polled", "absent"]

NETWORK_POLL_SECONDS: Final = 60.0
"""How often a network mount is scanned: a scan costs a round trip or more for each folder."""

MOST_PATHS: Final = 2_000
"""With more changed paths than this the whole folder is scanned, which is then the quicker way."""


@dataclass(slots=True, eq=False, repr=False)
class RootWatched(Event):
    """A watched folder came, or went. `polled` folders are scanned again and again."""

    kind = "root_watched"
    is_always_shown = True
    root: str
    state: RootState
    reason: str | None = None  # why it is polled, or absent

    def __str__(self) -> str:
        if self.state == "absent":
            return one_line(f"{self.root} {self.reason}: waiting for it")
        how = "Watching" if self.state == "watched" else "Scanning again and again"
        return one_line(f"{how}: {self.root}" + (f" ({self.reason})" if self.reason else ""))


class Events(Protocol):
    """Tells what changes below a folder."""

    error: OSError | None

    def start(self) -> None:
        """Return once changes are noticed, or `error` is set. May block."""

    def stop(self) -> None:
        """End soon."""


OpenEvents = Callable[[str, OnChange], Events]


class WatchedRoot:
    """A folder that may come, change and go. All times are monotonic seconds.

    `path` is absolute. A folder that is empty counts as absent: it may be a mount point without its
    card, and there is nothing in it to push.
    """

    def __init__(
        self,
        path: str,
        options: WatchOptions,
        rules: Rules,
        *,
        own_files: Iterable[str] = (),
        open_events: OpenEvents = FolderEvents,
    ) -> None:
        """Changes of `own_files` and what lies beside them under such a name are not noticed."""
        self.path = path
        self._options = options
        self._rules = rules
        self._own_files = tuple(own_files)
        self._open_events = open_events
        self._events: Events | None = None
        self._identity: tuple[int, int] | None = None  # None: absent
        self._poll_seconds = options.poll_seconds
        self._scan_at: float | None = None  # None: absent
        self._changed: dict[str, float] = {}  # path → when it was last seen to change
        self._incoming: list[frozenset[str]] = []  # appended by the thread of the events
        self._was_announced = False

    @property
    def is_present(self) -> bool:
        return self._identity is not None

    # In a thread: these ask the file system, which may take long ---------------------------------

    def refresh(self, now: float) -> RootWatched | None:
        """Find out whether the folder is there; the event if that has changed."""
        identity = _identity_with_files(self.path)
        if self._events is not None and self._events.error is not None:
            self._stop_events()
            self._scan_at = now  # events were lost
        if identity == self._identity and self._was_announced:
            return None
        self._was_announced = True
        self._forget()
        self._identity = identity
        if identity is None:
            is_empty = os.path.isdir(self.path)
            return RootWatched(self.path, "absent", "is empty" if is_empty else "is not there")
        state, reason = self._begin()
        self._scan_at = now
        return RootWatched(self.path, state, reason)

    def _begin(self) -> tuple[RootState, str | None]:
        """Start the events, or find a reason to poll."""
        self._poll_seconds = self._options.poll_seconds
        if self._poll_seconds is not None:
            return "polled", None
        mount = mount_of(self.path, read_mounts())
        if mount is not None and not mount.sends_events:
            self._poll_seconds = NETWORK_POLL_SECONDS
            return "polled", f"{mount.type} sends no events"
        events = self._open_events(self.path, self._incoming.append)
        events.start()
        if events.error is not None:
            self._poll_seconds = NETWORK_POLL_SECONDS
            return "polled", str(events.error)
        self._events = events
        return "watched", None

    def _forget(self) -> None:
        self._stop_events()
        self._changed.clear()
        self._incoming.clear()
        self._scan_at = None

    def _stop_events(self) -> None:
        if self._events is not None:
            self._events.stop()
            self._events = None
            self._poll_seconds = NETWORK_POLL_SECONDS

    def stop(self) -> None:
        """Notice nothing more."""
        self._stop_events()

    # In the event loop ----------------------------------------------------------------------------

    def add_changed(self, paths: Iterable[str], now: float) -> None:
        """These absolute paths may have changed at `now`."""
        self._changed.update((path, now) for path in paths if self._may_matter(path))

    def take_incoming(self, now: float) -> None:
        """Take what the events have told since the last call."""
        while self._incoming:
            self.add_changed(self._incoming.pop(0), now)

    def scan_later(self, at: float) -> None:
        """Scan the whole folder at `at`, or earlier."""
        if self._scan_at is not None:
            self._scan_at = min(self._scan_at, at)

    def is_scan_due(self, now: float) -> bool:
        """Whether the whole folder is to be scanned now."""
        return self._scan_at is not None and (
            self._scan_at <= now or len(self._rested(now)) > MOST_PATHS
        )

    def begin_scan(self, now: float) -> None:
        """The whole folder is scanned now, and again after a while."""
        self._scan_at = now + (self._poll_seconds or self._options.rescan_seconds)
        for path in self._rested(now):
            del self._changed[path]

    def take_rested(self, now: float) -> list[str]:
        """The changed paths that have not changed again for a while."""
        rested = self._rested(now)
        for path in rested:
            del self._changed[path]
        return rested

    def _rested(self, now: float) -> list[str]:
        if not self.is_present:
            return []
        until = now - self._options.rest_seconds
        return [path for path, seen in self._changed.items() if seen <= until]

    def _may_matter(self, path: str) -> bool:
        """Whether a push may take something at this path: the name decides."""
        if not path.startswith(self.path.rstrip("/") + "/") or path.startswith(self._own_files):
            return path == self.path
        relative = path[len(self.path.rstrip("/")) + 1 :]
        name = relative.rpartition("/")[2]
        if name == IGNORE_FILE or is_archive_name(name) or name.lower().endswith(".json"):
            return True
        if self._rules.why_not_above(relative) or self._rules.why_not_name(name):
            return False
        return self._rules.is_wanted_kind(name) is not False


def _identity_with_files(path: str) -> tuple[int, int] | None:
    """Device and inode of a folder that holds something; None for any other."""
    try:
        found = os.stat(path)
        with os.scandir(path) as entries:
            return (found.st_dev, found.st_ino) if next(entries, None) is not None else None
    except OSError:
        return None

"""When a watched folder is there, and what of it is due."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.operations.watch.watched_root import MOST_PATHS, NETWORK_POLL_SECONDS, WatchedRoot
from bulkup.settings.watch_options import WatchOptions
from bulkup.walk.file_events import OnChange
from bulkup.walk.filters import Rules, Selection

OPTIONS = WatchOptions(rest_seconds=5.0, poll_seconds=None, rescan_seconds=3600.0)


class Events:
    """Events that the test makes."""

    def __init__(self, root: str, on_change: OnChange, error: OSError | None = None) -> None:
        self.root = root
        self.on_change = on_change
        self.error = error
        self.is_stopped = False

    def start(self) -> None:
        pass

    def stop(self) -> None:
        self.is_stopped = True


class Watched:
    """A root in a folder, and the events it opened."""

    def __init__(self, path: Path, options: WatchOptions = OPTIONS) -> None:
        self.path = path
        self.opened: list[Events] = []
        self.error: OSError | None = None
        self.root = WatchedRoot(
            str(path),
            options,
            Rules(Selection()),
            own_files=(str(path / "manifest.db"),),
            open_events=self._open,
        )

    def _open(self, root: str, on_change: OnChange) -> Events:
        self.opened.append(Events(root, on_change, self.error))
        return self.opened[-1]

    def fill(self) -> None:
        self.path.mkdir(exist_ok=True)
        (self.path / "a.jpg").write_bytes(b"x")

    def tell(self, now: float, *names: str) -> None:
        self.opened[-1].on_change(frozenset(str(self.path / name) for name in names))
        self.root.take_incoming(now)

    def rested(self, now: float) -> list[str]:
        return [path.removeprefix(f"{self.path}/") for path in self.root.take_rested(now)]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "card")


def test_an_absent_folder_is_announced_once_and_scanned_when_it_comes(watched: Watched) -> None:
    event = watched.root.refresh(0.0)
    assert event is not None
    assert event.state == "absent"
    assert watched.root.refresh(1.0) is None
    assert not watched.root.is_scan_due(100.0)
    watched.fill()
    event = watched.root.refresh(2.0)
    assert event is not None
    assert event.state == "watched"
    assert watched.root.is_scan_due(2.0)
    watched.root.begin_scan(2.0)
    assert not watched.root.is_scan_due(3.0)
    assert watched.root.is_scan_due(2.0 + 3600.0)


def test_an_empty_folder_counts_as_absent(watched: Watched) -> None:
    watched.path.mkdir()
    event = watched.root.refresh(0.0)
    assert event is not None
    assert str(event).endswith("is empty: waiting for it")
    assert not watched.root.is_present


def test_what_is_reported_of_a_card_that_went_is_forgotten(watched: Watched) -> None:
    watched.fill()
    watched.root.refresh(0.0)
    watched.root.begin_scan(0.0)
    watched.tell(1.0, "a.jpg")
    watched.path.rename(watched.path.with_name("elsewhere"))
    event = watched.root.refresh(2.0)
    assert event is not None
    assert event.state == "absent"
    assert watched.opened[0].is_stopped
    assert watched.rested(100.0) == []
    assert not watched.root.is_scan_due(100.0)


def test_another_folder_under_the_same_name_is_scanned_as_a_whole(watched: Watched) -> None:
    watched.fill()
    watched.root.refresh(0.0)
    watched.root.begin_scan(0.0)
    watched.path.rename(watched.path.with_name("elsewhere"))
    watched.fill()
    watched.root.refresh(1.0)
    assert len(watched.opened) == 2
    assert watched.root.is_scan_due(1.0)


def test_a_path_rests_when_it_has_not_changed_for_a_while(watched: Watched) -> None:
    watched.fill()
    watched.root.refresh(0.0)
    watched.root.begin_scan(0.0)
    watched.tell(1.0, "a.jpg", "b.jpg")
    watched.tell(4.0, "b.jpg")
    assert watched.rested(5.9) == []
    assert watched.rested(6.0) == ["a.jpg"]
    assert watched.rested(9.0) == ["b.jpg"]
    assert watched.rested(99.0) == []


def test_what_no_push_would_take_is_not_noticed(watched: Watched) -> None:
    watched.fill()
    watched.root.refresh(0.0)
    watched.tell(0.0, "x.txt", ".hidden/a.jpg", "a.jpg.part", "manifest.db-wal", "Thumbs.db")
    assert watched.rested(99.0) == []
    names = ["sub", "t.zip", "IMG_1.jpg.json", "sub/.bulkupignore", "unknown"]
    watched.tell(0.0, *names)
    assert sorted(watched.rested(99.0)) == sorted(names)


def test_a_folder_with_very_many_changes_is_scanned_as_a_whole(watched: Watched) -> None:
    watched.fill()
    watched.root.refresh(0.0)
    watched.root.begin_scan(0.0)
    watched.tell(1.0, *(f"{n}.jpg" for n in range(MOST_PATHS + 1)))
    assert not watched.root.is_scan_due(2.0)
    assert watched.root.is_scan_due(6.0)
    watched.root.begin_scan(6.0)
    assert watched.rested(99.0) == []


def test_without_events_a_folder_is_scanned_again_and_again(watched: Watched) -> None:
    watched.fill()
    watched.error = OSError("OS file watch limit reached")
    event = watched.root.refresh(0.0)
    assert event is not None
    assert (event.state, event.reason) == ("polled", "OS file watch limit reached")
    watched.root.begin_scan(0.0)
    assert watched.root.is_scan_due(NETWORK_POLL_SECONDS)


def test_polling_that_was_asked_for_opens_no_events(tmp_path: Path) -> None:
    watched = Watched(
        tmp_path / "nas", WatchOptions(rest_seconds=5, poll_seconds=30, rescan_seconds=3600)
    )
    watched.fill()
    event = watched.root.refresh(0.0)
    assert event is not None
    assert (event.state, watched.opened) == ("polled", [])
    watched.root.begin_scan(0.0)
    assert not watched.root.is_scan_due(29.0)
    assert watched.root.is_scan_due(30.0)


def test_events_that_end_are_replaced_by_polling(watched: Watched) -> None:
    watched.fill()
    watched.root.refresh(0.0)
    watched.root.begin_scan(0.0)
    watched.opened[0].error = OSError("the queue is gone")
    watched.root.refresh(1.0)
    assert watched.opened[0].is_stopped
    assert watched.root.is_scan_due(1.0)
    watched.root.begin_scan(1.0)
    assert watched.root.is_scan_due(1.0 + NETWORK_POLL_SECONDS)

"""What events say: names of files are data, whatever is in them."""

from __future__ import annotations

import pytest

from bulkup.events import AttemptFailed, Event, Notice, RootWalked
from bulkup.operations.watch.watched_root import RootWatched

NAME = "/photos/a\nDone in 1 s"


@pytest.mark.parametrize(
    "event",
    [
        AttemptFailed(NAME, "upload", 1, "invalid", "no picture", "dead", None),
        Notice(f"Takeout: 1 has none: {NAME}"),
        RootWalked(NAME, 1, 1, 1, 0, 0, 0, 0, 0.1),
        RootWatched(NAME, "watched"),
        RootWatched(NAME, "absent", "is away"),
    ],
)
def test_a_newline_in_a_name_makes_no_line_of_its_own(event: Event) -> None:
    assert r"/photos/a\nDone in 1 s" in str(event)
    assert "\n" not in str(event)


def test_each_line_of_a_hint_is_one() -> None:
    assert str(Notice("all is lost", is_error=True, hint="one\ntwo")) == (
        "bulkup: all is lost\n  one\n  two"
    )

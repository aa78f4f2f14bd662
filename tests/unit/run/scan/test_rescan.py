"""Paths that could not be read are scanned again, and nothing else."""

from __future__ import annotations

from pathlib import Path

from bulkup.errors import ErrorClass
from bulkup.run.options import Subtree
from bulkup.run.scan.rescan import UnreadablePaths
from bulkup.walk.filters import Selection
from bulkup.walk.listing import FolderListing, unread
from bulkup.walk.walk import walk


def _row(name: str) -> tuple[str, int, int, int, int]:
    return (name, 1, 2, 3, 4)


def test_only_the_unreadable_paths_are_taken() -> None:
    subtrees = UnreadablePaths(
        "/r", [Subtree("/r", "a/", "closed/"), Subtree("/other", "", "x.jpg")]
    )
    listings = [
        FolderListing("", [_row("top.jpg")]),
        FolderListing("a/", [_row("new.jpg")]),
        FolderListing("a/closed/", [_row("in.jpg")]),
        FolderListing("a/closed/deep/", [_row("deep.jpg")]),
        FolderListing("b/", [_row("other.jpg")]),
    ]
    taken = [(one.folder, [row[0] for row in one.files]) for one in subtrees.only(listings)]
    assert taken == [("a/", []), ("a/closed/", ["in.jpg"]), ("a/closed/deep/", ["deep.jpg"])]
    assert subtrees.recovered() == [("a/", "closed/")]
    assert [subtrees.leads_to(f) for f in ("a/", "a/closed/", "a/closed/x/", "b/")] == [
        True,
        True,
        True,
        False,
    ]


def test_what_is_still_unreadable_has_not_recovered() -> None:
    subtrees = UnreadablePaths("/r", [Subtree("/r", "", "closed/"), Subtree("/r", "", "x.zip")])
    listings = [
        FolderListing("", [], archives=["x.zip"]),
        unread("x.zip#", "broken", ErrorClass.INVALID),
        unread("closed/", "Permission denied", ErrorClass.AUTH),
    ]
    assert len(list(subtrees.only(listings))) == 3
    assert subtrees.recovered() == []


def test_a_root_that_was_unreadable_is_taken_whole() -> None:
    subtrees = UnreadablePaths("/r", [Subtree("/r", "", "./")])
    assert [one.folder for one in subtrees.only([FolderListing("", [_row("a.jpg")])])] == [""]
    assert subtrees.recovered() == [("", "./")]


def test_a_walk_enters_only_the_folders_on_the_way(tmp_path: Path) -> None:
    for folder in ("a/closed/deep", "a/open", "b"):
        (tmp_path / folder).mkdir(parents=True)
    subtrees = UnreadablePaths(str(tmp_path), [Subtree(str(tmp_path), "a/", "closed/")])
    entered = [one.folder for one in walk(str(tmp_path), Selection(), enters=subtrees.leads_to)]
    assert entered == ["", "a/", "a/closed/", "a/closed/deep/"]

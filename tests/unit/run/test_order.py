"""What a batch is begun with survives the manifest; places are looked at again, nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from bulkup.discover.listing import FolderListing, unread
from bulkup.discover.select import Selection
from bulkup.discover.walk import walk
from bulkup.errors import ErrorClass
from bulkup.run.looking_again import Places
from bulkup.run.order import Named, Order, Place, order_of
from bulkup.upload.attributes import Extras


def test_an_order_comes_back_as_it_was() -> None:
    order = Order(
        roots=(Named("/a/b.zip", "/a", False), Named("/c\udcff", "/c\udcff", True)),
        selection=Selection(include=("*.jpg",), exclude=("no/",), hidden=True, newer_than=1.5),
        files_from="list",
        cwd="/home",
        places=(Place("/a", "sub/", "x.zip"),),
        layout="content",
        copies_duplicates=True,
        extras=Extras(cache_control="max-age=1", metadata={"by": "me"}),
    )
    assert order_of(json.loads(json.dumps(order.as_options()))) == order
    assert order_of(json.loads(json.dumps(Order().as_options()))) == Order()


def _row(name: str) -> tuple[str, int, int, int, int]:
    return (name, 1, 2, 3, 4)


def test_only_the_places_are_taken() -> None:
    places = Places("/r", [Place("/r", "a/", "closed/"), Place("/other", "", "x.jpg")])
    listings = [
        FolderListing("", [_row("top.jpg")]),
        FolderListing("a/", [_row("new.jpg")]),
        FolderListing("a/closed/", [_row("in.jpg")]),
        FolderListing("a/closed/deep/", [_row("deep.jpg")]),
        FolderListing("b/", [_row("other.jpg")]),
    ]
    taken = [(one.folder, [row[0] for row in one.files]) for one in places.only(listings)]
    assert taken == [("a/", []), ("a/closed/", ["in.jpg"]), ("a/closed/deep/", ["deep.jpg"])]
    assert places.mended() == [("a/", "closed/")]
    assert [places.leads_to(f) for f in ("a/", "a/closed/", "a/closed/x/", "b/")] == [
        True,
        True,
        True,
        False,
    ]


def test_what_is_unreadable_still_is_not_mended() -> None:
    places = Places("/r", [Place("/r", "", "closed/"), Place("/r", "", "x.zip")])
    listings = [
        FolderListing("", [], archives=["x.zip"]),
        unread("x.zip#", "broken", ErrorClass.INVALID),
        unread("closed/", "Permission denied", ErrorClass.AUTH),
    ]
    assert len(list(places.only(listings))) == 3
    assert places.mended() == []


def test_a_root_that_was_unreadable_is_taken_whole() -> None:
    places = Places("/r", [Place("/r", "", "./")])
    assert [one.folder for one in places.only([FolderListing("", [_row("a.jpg")])])] == [""]
    assert places.mended() == [("", "./")]


def test_a_walk_enters_only_where_it_is_led(tmp_path: Path) -> None:
    for folder in ("a/closed/deep", "a/open", "b"):
        (tmp_path / folder).mkdir(parents=True)
    places = Places(str(tmp_path), [Place(str(tmp_path), "a/", "closed/")])
    entered = [one.folder for one in walk(str(tmp_path), Selection(), enters=places.leads_to)]
    assert entered == ["", "a/", "a/closed/", "a/closed/deep/"]

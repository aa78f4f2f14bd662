"""The view of pairs: files that are one picture, by the camera's clock and not by name alone."""

from __future__ import annotations

import pytest

from bulkup.manifest.manifest import Manifest
from tests.sql import sql
from tests.unit.manifest.recording import Pusher

PAIRS = "SELECT kind, path, partner FROM pairs ORDER BY path"


def process(manifest: Manifest, name: str, kind: str, taken_at: str | None, **more: object) -> None:
    """As if the picture had been processed."""
    columns = ("live_id", "burst_id", "motion_bytes")
    sql(
        manifest,
        "INSERT INTO picture (content_id, width_px, height_px, format, orientation, is_truncated, "
        "taken_at, live_id, burst_id, motion_bytes) SELECT content_id, 40, 30, ?, 1, 0, ?, ?, ?, ? "
        "FROM asset WHERE name = ?",
        kind,
        taken_at,
        *(more.get(column) for column in columns),
        name,
    )
    media = "video/quicktime" if kind == "MOV" else "image/jpeg"
    sql(
        manifest,
        "UPDATE content SET media_type = ? "
        "WHERE id = (SELECT content_id FROM asset WHERE name = ?)",
        media,
        name,
    )


@pytest.fixture
def pushed(manifest: Manifest) -> Manifest:
    """Files of a folder, each with a content of its own."""
    pusher = Pusher.begin(manifest, "run")
    for name in ("a.CR2", "a.JPG", "ab.JPG", "IMG_1234.HEIC", "IMG_E1234.JPG", "IMG_E1235.JPG"):
        pusher.push(name, content=name)
    return manifest


def test_raw_and_jpeg_of_one_moment(pushed: Manifest) -> None:
    process(pushed, "a.CR2", "CR2", "2019-03-17T12:34:56+01:00")
    process(pushed, "a.JPG", "JPEG", "2019-03-17T12:34:56.120000")
    process(pushed, "ab.JPG", "JPEG", "2019-03-17T12:34:56")
    assert sql(pushed, PAIRS) == [("raw", "a.JPG", "a.CR2")]


@pytest.mark.parametrize("taken_at", ["2019-03-17T12:34:57", None])
def test_a_name_alone_makes_no_pair(pushed: Manifest, taken_at: str | None) -> None:
    process(pushed, "a.CR2", "CR2", "2019-03-17T12:34:56")
    process(pushed, "a.JPG", "JPEG", taken_at)
    assert sql(pushed, PAIRS) == []


def test_an_edited_picture_of_a_phone(pushed: Manifest) -> None:
    for name in ("IMG_1234.HEIC", "IMG_E1234.JPG", "IMG_E1235.JPG"):
        process(pushed, name, "HEIF" if name.endswith("HEIC") else "JPEG", "2019-03-17T12:34:56")
    assert sql(pushed, PAIRS) == [("edit", "IMG_E1234.JPG", "IMG_1234.HEIC")]


NOON = "2019-03-17T12:00:00"


@pytest.fixture
def library(manifest: Manifest) -> Manifest:
    pusher = Pusher.begin(manifest, "run")
    for name in ("1.HEIC", "1.MOV", "2.HEIC", "2.MOV", "b1.JPG", "b2.JPG", "b3.JPG", "m.jpg"):
        pusher.push(name, content=name)
    for name in ("e.jpg", "e-edited.jpg", "e-trip.jpg", "f-edited.jpg", "f.jpg"):
        pusher.push(name, content=name)
    return manifest


def test_a_live_photo_and_its_video_have_one_identifier(library: Manifest) -> None:
    """Equal names and times make none: a photo of August is not paired with a film of May."""
    process(library, "1.HEIC", "HEIF", NOON, live_id="A")
    process(library, "2.MOV", "MOV", NOON, live_id="A")
    process(library, "1.MOV", "MOV", NOON)
    process(library, "2.HEIC", "HEIF", NOON, live_id="B")
    assert sql(library, PAIRS) == [("live", "1.HEIC", "2.MOV")]


def test_the_first_of_a_burst_stands_for_all(library: Manifest) -> None:
    process(library, "b2.JPG", "JPEG", NOON, burst_id="A")
    process(library, "b3.JPG", "JPEG", "2019-03-17T12:00:01", burst_id="A")
    process(library, "b1.JPG", "JPEG", NOON)
    assert sql(library, PAIRS) == [("burst", "b2.JPG", "b3.JPG")]


def test_a_motion_photo_has_no_partner(library: Manifest) -> None:
    process(library, "m.jpg", "JPEG", NOON, motion_bytes=1000)
    assert sql(library, PAIRS) == [("motion", "m.jpg", None)]


def test_an_edited_picture_of_google_has_the_time_of_the_original(library: Manifest) -> None:
    for name in ("e.jpg", "e-edited.jpg", "e-trip.jpg", "f-edited.jpg"):
        process(library, name, "JPEG", NOON)
    process(library, "f.jpg", "JPEG", "2018-01-01T00:00:00")
    assert sql(library, PAIRS) == [("edit", "e-edited.jpg", "e.jpg")]


def note(manifest: Manifest, *names: str) -> None:
    """As if Google Takeout had one JSON for these files."""
    sql(
        manifest,
        "INSERT INTO takeout_note (root_id, path, stamp, export, folder, name, is_album, title) "
        "SELECT id, ?, '', '', '', ?, 0, ? FROM root",
        *(names[0],) * 3,
    )
    for name in names:
        sql(
            manifest,
            "INSERT INTO takeout_partner SELECT asset.id, takeout_note.id FROM asset, takeout_note "
            "WHERE asset.name = ? AND takeout_note.name = ?",
            name,
            names[0],
        )


LONG = "a name of forty-seven characters, or more, of a"


@pytest.mark.parametrize(
    ("original", "edited"),
    [
        ("IMG.jpg", "IMG-edited.jpg"),
        ("IMG.jpg", "IMG-bearbeitet.jpg"),
        ("IMG(1).jpg", "IMG-edited(1).jpg"),
        ("IMG(1).HEIC", "IMG(1)-modifié.jpg"),
        (f"{LONG}.jpg", f"{LONG}(1).jpg"),
    ],
)
@pytest.mark.parametrize("taken_at", [NOON, None])
def test_an_edited_picture_has_the_json_of_the_original(
    manifest: Manifest, original: str, edited: str, taken_at: str | None
) -> None:
    """Whatever the language of its mark, and also where neither has a date of its own."""
    pusher = Pusher.begin(manifest, "run")
    for name in (original, edited, "IMG-edited(2).jpg", "IMG-COLLAGE(1).png"):
        pusher.push(name, content=name)
        process(manifest, name, "JPEG", taken_at)
    note(manifest, original, edited)
    assert sql(manifest, PAIRS) == [("edit", edited, original)]
    sql(manifest, "UPDATE picture SET taken_at = '2018-01-01T00:00:00' WHERE rowid = 1")
    assert sql(manifest, PAIRS) == ([] if taken_at else [("edit", edited, original)])

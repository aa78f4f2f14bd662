"""The view of pairs: files that are one picture, by the camera's clock and not by name alone."""

from __future__ import annotations

import pytest

from bulkup.manifest.manifest import Manifest
from tests.sql import sql
from tests.unit.manifest.recording import Pusher

PAIRS = "SELECT kind, path, partner FROM pairs ORDER BY path"


def process(manifest: Manifest, name: str, kind: str, taken_at: str | None) -> None:
    """As if the picture had been processed."""
    sql(
        manifest,
        "INSERT INTO picture (content_id, width_px, height_px, format, orientation, is_truncated, "
        "taken_at) SELECT content_id, 40, 30, ?, 1, 0, ? FROM asset WHERE name = ?",
        kind,
        taken_at,
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

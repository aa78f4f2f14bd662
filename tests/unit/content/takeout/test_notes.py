"""What one JSON file of a Takeout says, and where files are in their export."""

from __future__ import annotations

import json
from unicodedata import normalize

import pytest

from bulkup.content.takeout.notes import AlbumNote, PictureNote, read_note
from bulkup.content.takeout.places import (
    ExportPlace,
    is_year_folder,
    may_be_note,
    place_in_export,
)

PICTURE = {
    "title": "Tom &amp; Jerry.jpg",
    "description": "A cat &#39;n a mouse",
    "photoTakenTime": {"timestamp": "1552826096", "formatted": "17.03.2019, 12:34:56 UTC"},
    "geoData": {"latitude": 0.0, "longitude": 0.0, "altitude": 0.0},
    "geoDataExif": {"latitude": 48.1, "longitude": 11.5, "altitude": 520.0},
    "people": [{"name": "Ann"}, {"name": "Bob O&#39;Brien "}, {"name": "Ann"}, {"name": " "}, 1],
    "favorited": True,
}


def test_a_picture() -> None:
    assert read_note(json.dumps(PICTURE).encode()) == PictureNote(
        "Tom & Jerry.jpg",
        1552826096.0,
        48.1,
        11.5,
        520.0,
        "A cat 'n a mouse",
        ("Ann", "Bob O'Brien"),
        True,
    )


@pytest.mark.parametrize("title", [{}, {"title": None}, {"title": ""}])
def test_a_picture_whose_name_is_not_said(title: dict[str, object]) -> None:
    body = {**title, "photoTakenTime": {"timestamp": "1552826096"}}
    assert read_note(json.dumps(body).encode()) == PictureNote("", 1552826096.0)


@pytest.mark.parametrize(
    "body",
    [
        {"title": "Rome", "description": "", "access": "protected", "date": {"timestamp": "0"}},
        {"albumData": {"title": "Rome"}},
        {"title": "Rome", "date": {"timestamp": "0"}},
        {"title": "Rome", "description": "in spring"},
    ],
)
def test_an_album(body: dict[str, object]) -> None:
    assert read_note(json.dumps(body).encode()) == AlbumNote("Rome")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'"x"', b"[" * 100_000, b'{"title": 1}', b"\xff", b'{"title": ""}']
)
def test_any_other_json_is_none(body: bytes) -> None:
    assert read_note(body) is None


@pytest.mark.parametrize(
    "body",
    [
        {"title": "Shopping", "isTrashed": False, "textContent": "milk", "attachments": []},  # Keep
        {"title": "My list", "kind": "tasks#taskList"},
        {"title": "Visited a page", "titleUrl": "https://…", "time": "2024-01-01T00:00:00Z"},
        {"title": "a.jpg", "url": "https://…", "date": {"timestamp": "0"}},
    ],
)
def test_what_has_a_title_elsewhere_in_a_takeout_is_no_album(body: dict[str, object]) -> None:
    assert read_note(json.dumps(body).encode()) is None


@pytest.mark.parametrize("timestamp", ["", "x", None, "0", "1e300", "nan"])
def test_a_date_that_is_none(timestamp: object) -> None:
    body = {"title": "a.jpg", "photoTakenTime": {"timestamp": timestamp}}
    assert read_note(json.dumps(body).encode()) == PictureNote("a.jpg")


@pytest.mark.parametrize(
    ("root", "path", "place"),
    [
        (
            "/d",
            "takeout-20240131T101112Z-001.zip#Takeout/Google Photos/Rome/a.jpg",
            ("takeout-20240131t101112z", "Google Photos/Rome/", "a.jpg"),
        ),
        (
            "/other",
            "x/takeout-20240131T101112Z-1-002.zip#Takeout/Google Photos/Rome/a.jpg.json",
            ("takeout-20240131t101112z", "Google Photos/Rome/", "a.jpg.json"),
        ),
        ("/d", "all/Takeout/Google Foto/a.jpg", ("/d/all/", "Google Foto/", "a.jpg")),
        ("/d/Takeout", "Google Foto/a.jpg", ("/d/", "Google Foto/", "a.jpg")),
        ("/d", "Rome/a.jpg", ("/d", "Rome/", "a.jpg")),
        ("/d", "Takeout 2/Google Foto/a.jpg", ("/d/Takeout 2/", "Google Foto/", "a.jpg")),
        ("/d", "Takeout (3)/Google Foto/a.jpg", ("/d/Takeout (3)/", "Google Foto/", "a.jpg")),
        ("/d/Takeout", "1.zip#Takeout/Foto/a.jpg", ("/d/Takeout/1.zip#", "Foto/", "a.jpg")),
        ("/d/Takeout", "one/Takeout/Foto/a.jpg", ("/d/Takeout/one/", "Foto/", "a.jpg")),
        ("/d", "Takeout/Foto/Takeout/a.jpg", ("/d/", "Foto/Takeout/", "a.jpg")),
    ],
)
def test_the_parts_of_an_export_are_one(root: str, path: str, place: tuple[str, str, str]) -> None:
    assert place_in_export(root, path) == ExportPlace(*place)


def test_folders_of_years_are_no_albums() -> None:
    names = ("Photos from 2019", "Fotos von 2019", "Photos de 2019", "2019 年的照片")
    names += ("Kuvat vuodelta 2019", "Fotky z roku 2019", "Foto dal 2019", "2019 年的相片")
    names += (normalize("NFD", "Zdjęcia z 2019"),)
    assert all(is_year_folder(f"Google Photos/{name}/") for name in names)
    others = ("Rome 2019", "2019", "Photos", "Fotos Rom 2019", "Photos from Rome 2019")
    assert not any(is_year_folder(f"x/{name}/") for name in others)


def test_which_json_files_are_read() -> None:
    assert may_be_note("x/Takeout/Google Photos/Rome/metadata.json")
    assert may_be_note("x/Takeout 2/Google Photos/Rome/metadata.json")
    assert may_be_note("Rome/a.JPG.supplemental-meta.json")
    assert may_be_note("Rome/a.jpg(1).json")
    assert not may_be_note("data/annotations.json")
    assert not may_be_note("data/a.jpg.txt")

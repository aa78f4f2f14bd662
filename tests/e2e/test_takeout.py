"""Google Takeout: pictures find their JSON in whatever part; albums; dates and their source."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from typing import Any
from unicodedata import normalize
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from tests.e2e.conftest import Bulkup
from tests.unit.content.tars import make_tar

HAS_ZONES = find_spec("tzfpy") is not None
TAKEN = 1_552_826_096  # 2019-03-17T12:34:56Z
YEAR = "Takeout/Google Photos/Photos from 2019/"
ROME = "Takeout/Google Photos/Rome/"


@pytest.fixture(autouse=True)
def without_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKUP_STAGES", "upload,process")


def jpeg(seed: int, exif: str | None = None) -> bytes:
    """A small picture; with a date in its EXIF if one is given."""
    image = Image.new("RGB", (16, 16), (seed * 37 % 256, seed * 91 % 256, seed % 256))
    tags = Image.Exif()
    if exif is not None:
        tags.get_ifd(0x8769)[0x9003] = exif
    body = io.BytesIO()
    image.save(body, "JPEG", exif=tags)
    return body.getvalue()


def note(title: str, taken: int = TAKEN, **more: Any) -> bytes:
    return json.dumps(
        {
            "title": title,
            "description": "",
            "photoTakenTime": {"timestamp": str(taken)},
            "geoData": {"latitude": 48.1, "longitude": 11.5, "altitude": 520.0},
            **more,
        }
    ).encode()


FILES = {
    YEAR + "IMG_1.jpg": jpeg(1),
    YEAR + "IMG_1.jpg.json": note("IMG_1.jpg", TAKEN + 1, people=[{"name": "Ann"}]),
    YEAR + "IMG_1(1).jpg": jpeg(2),
    YEAR + "IMG_1.jpg(1).json": note("IMG_1.jpg", TAKEN + 2),
    YEAR + "IMG_1-edited.jpg": jpeg(3),
    YEAR + "own date.jpg": jpeg(4, "2018:01:02 03:04:05"),
    YEAR + "own date.jpg.supplemental-metadata.json": note("own date.jpg", description="a cat"),
    YEAR + "no json.jpg": jpeg(5),
    YEAR + "IMG_20170506_070809.jpg": jpeg(6),
    ROME + "IMG_1.jpg": jpeg(1),
    ROME + "IMG_1.jpg.json": note("IMG_1.jpg", TAKEN + 1),
    ROME + "metadata.json": json.dumps({"title": "Rome & more", "access": "protected"}).encode(),
}


def make_part(path: Path, names: list[str]) -> None:
    """A part of the export; every second one is a `.tgz`."""
    if path.name.endswith("2.zip"):
        members = [(name, FILES[name]) for name in names]
        make_tar(path.with_suffix(".tgz"), *members, form="gnu")
        return
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, FILES[name])


def rows(bulkup: Bulkup, query: str) -> list[tuple[Any, ...]]:
    with (
        closing(sqlite3.connect(f"file:{bulkup.home / 'manifest.db'}?mode=ro", uri=True)) as db,
        db,
    ):
        return db.execute(query).fetchall()


def pictures(bulkup: Bulkup) -> dict[str, tuple[Any, ...]]:
    """Date, its source and latitude by the path inside the export."""
    found = rows(bulkup, "SELECT path, taken_at, taken_from, latitude FROM pictures")
    return {path.partition("#")[2] or path: tuple(rest) for path, *rest in found}


def at(utc: str) -> str:
    """17 March 2019 by the clocks of Munich, where its zone is known."""
    moment = datetime.fromisoformat(f"2019-03-17T{utc}+00:00")
    return moment.astimezone(ZoneInfo("Europe/Berlin") if HAS_ZONES else UTC).isoformat()


WANTED = {
    YEAR + "IMG_1.jpg": (at("12:34:57"), "takeout", 48.1),
    YEAR + "IMG_1(1).jpg": (at("12:34:58"), "takeout", 48.1),
    YEAR + "IMG_1-edited.jpg": (at("12:34:57"), "takeout", 48.1),
    YEAR + "own date.jpg": ("2018-01-02T03:04:05", "exif", 48.1),
    YEAR + "IMG_20170506_070809.jpg": ("2017-05-06T07:08:09", "name", None),
    ROME + "IMG_1.jpg": (at("12:34:57"), "takeout", 48.1),
}
PARTS = [
    [YEAR + "IMG_1.jpg", YEAR + "IMG_1.jpg(1).json", ROME + "metadata.json", YEAR + "no json.jpg"],
    [YEAR + "IMG_1.jpg.json", YEAR + "IMG_1-edited.jpg", ROME + "IMG_1.jpg", YEAR + "own date.jpg"],
    [
        *(YEAR + "IMG_1(1).jpg", ROME + "IMG_1.jpg.json", YEAR + "IMG_20170506_070809.jpg"),
        YEAR + "own date.jpg.supplemental-metadata.json",
    ],
]


def require_all(bulkup: Bulkup) -> None:
    """Every picture has the facts that it should have, and the albums are right."""
    found = pictures(bulkup)
    assert {path: found[path] for path in WANTED} == WANTED
    assert found[YEAR + "no json.jpg"][1] == "mtime"
    albums = rows(bulkup, "SELECT album, source, path FROM albums")
    assert [(album, source) for album, source, _ in albums] == [("Rome & more", "takeout")]
    assert albums[0][2].endswith(ROME + "IMG_1.jpg")
    ((keywords,),) = rows(bulkup, "SELECT keywords FROM pictures WHERE path LIKE '%2019/IMG_1.jpg'")
    assert json.loads(keywords) == ["Ann"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_parts_come_in_any_order(bulkup: Bulkup, tmp_path: Path, order: tuple[int, ...]) -> None:
    """One after the other, from one folder; the result is the same."""
    (tmp_path / "parts").mkdir()
    for number in order:
        name = f"takeout-20240131T101112Z-00{number + 1}.zip"
        make_part(tmp_path / "parts" / name, PARTS[number])
        ended = bulkup("push", "parts", "--to", "store")
    assert "JSON" in ended.stderr
    assert "no json.jpg" in ended.stderr
    require_all(bulkup)
    assert not any(key.endswith(".json") for key in map(str, (tmp_path / "store").rglob("*")))
    assert bulkup("push", "parts").stdout.startswith("Nothing changed")


BEST = "Takeout/Google Photos/Best of/"
TWINS = {
    YEAR + "IMG_1.jpg": jpeg(1),
    YEAR + "IMG_1.jpg.json": note("IMG_1.jpg", TAKEN + 1, people=[{"name": "Ann"}]),
    YEAR + "IMG_2.jpg": jpeg(2),
    YEAR + "IMG_2.jpg.json": note("IMG_2.jpg", TAKEN + 2),
    YEAR + "copy.jpg": jpeg(2),
    YEAR + "copy.jpg.json": note("copy.jpg", TAKEN + 3),
    YEAR + "nothing.jpg": b"",
    YEAR + "nothing.jpg.json": note("nothing.jpg"),
    BEST + "IMG_1.jpg": jpeg(1),
    BEST + "renamed.jpg": jpeg(1),
    BEST + "IMG_2.jpg": jpeg(2),
    BEST + "unclear.jpg": jpeg(2),
    BEST + "IMG_3.jpg": jpeg(3),
    BEST + "empty.jpg": b"",
    BEST + "metadata.json": json.dumps({"title": "Best of", "access": "protected"}).encode(),
    "Takeout/Google Photos/Rome/IMG_1.jpg": jpeg(1),
}


@pytest.mark.parametrize("order", ["abc", "cba"])
def test_an_album_without_json_files_has_those_of_equal_pictures(
    bulkup: Bulkup, tmp_path: Path, order: str
) -> None:
    """In whatever part the year is, and whichever is read first. Not where two notes of one content
    contradict each other, and not because both files are empty."""
    parts = {
        "a": [name for name in TWINS if not name.startswith(YEAR)],
        "b": [name for name in TWINS if name.startswith(YEAR) and not name.endswith(".json")],
        "c": [name for name in TWINS if name.startswith(YEAR) and name.endswith(".json")],
    }
    (tmp_path / "parts").mkdir()
    for letter in order:
        number = "abc".index(letter) + 1
        with zipfile.ZipFile(
            tmp_path / f"parts/takeout-20240131T101112Z-00{number}.zip", "w"
        ) as archive:
            for name in parts[letter]:
                archive.writestr(name, TWINS[name])
        ended = bulkup("push", "parts", "--to", "store")
    found = pictures(bulkup)
    assert {path: found[path][:2] for path in found if BEST in path} == {
        BEST + "IMG_1.jpg": (at("12:34:57"), "takeout"),
        BEST + "renamed.jpg": (at("12:34:57"), "takeout"),
        BEST + "IMG_2.jpg": (at("12:34:58"), "takeout"),
        BEST + "unclear.jpg": (found[BEST + "unclear.jpg"][0], "mtime"),
        BEST + "IMG_3.jpg": (found[BEST + "IMG_3.jpg"][0], "mtime"),
    }
    assert found[ROME + "IMG_1.jpg"][:2] == (at("12:34:57"), "takeout")
    assert found[YEAR + "copy.jpg"][:2] == (at("12:34:59"), "takeout")
    assert "Takeout: 8 files have their JSON, 3 have none" in ended.stderr
    lost = rows(bulkup, "SELECT path FROM takeout JOIN files USING (asset_id) WHERE json IS NULL")
    assert {Path(path).name for (path,) in lost} == {"unclear.jpg", "IMG_3.jpg", "empty.jpg"}
    people = rows(bulkup, "SELECT DISTINCT keywords FROM pictures WHERE path LIKE '%/IMG_1.jpg'")
    assert people == [('["Ann"]',)]


def test_equal_pictures_have_their_json_in_the_run_that_reads_them(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """All pushed at once: that they are equal is known after the scan. They keep it later."""
    for name, body in TWINS.items():
        path = tmp_path / "all" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    ended = bulkup("push", "all", "--to", "store")
    assert "Takeout: 8 files have their JSON, 3 have none" in ended.stderr
    for _ in range(2):
        assert pictures(bulkup)[BEST + "renamed.jpg"][:2] == (at("12:34:57"), "takeout")
        (tmp_path / "all" / BEST / "new.jpg").write_bytes(jpeg(9))
        bulkup("push", "all")
    (tmp_path / "all" / YEAR / "IMG_1.jpg.json").write_bytes(note("IMG_1.jpg", TAKEN + 60))
    bulkup("push", "all")
    assert pictures(bulkup)[BEST + "renamed.jpg"][:2] == (at("12:35:56"), "takeout")


def test_parts_that_lie_in_two_folders_are_one_export(bulkup: Bulkup, tmp_path: Path) -> None:
    for number, part in enumerate(PARTS):
        folder = tmp_path / f"disk{number}"
        folder.mkdir()
        make_part(folder / f"takeout-20240131T101112Z-00{number + 1}.zip", part)
    bulkup("push", "disk0", "disk1", "disk2", "--to", "store")
    require_all(bulkup)


@pytest.mark.parametrize("root", ["downloads", "each part", "inside"])
def test_parts_that_were_unpacked_into_folders_of_their_names(
    bulkup: Bulkup, tmp_path: Path, root: str
) -> None:
    """As a Mac does; the third was downloaded twice and not unpacked."""
    downloads = tmp_path / "downloads"
    for number, part in enumerate(PARTS[:2]):
        folder = downloads / f"takeout-20240131T101112Z-00{number + 1}{' 2' * number}"
        for name in part:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(FILES[name])
    make_part(downloads / "takeout-20240131T101112Z-003 (1).zip", PARTS[2])
    inside = "Takeout/Google Photos" if root == "inside" else ""
    parts = [path / inside if path.is_dir() else path for path in sorted(downloads.iterdir())]
    bulkup("push", *(["downloads"] if root == "downloads" else parts), "--to", "store")
    found = rows(
        bulkup, "SELECT count(DISTINCT export), count(json) FROM takeout WHERE asset_id IS NOT NULL"
    )
    assert found == [(1, 5)]
    dates = rows(bulkup, "SELECT taken_at FROM pictures WHERE taken_from = 'takeout' ORDER BY 1")
    assert dates == [(at("12:34:57"),)] * 3 + [(at("12:34:58"),)]


@pytest.mark.parametrize("where", ["Takeout/one", "Takeout 2", "renamed"])
def test_parts_of_any_name_that_lie_in_one_folder_are_one_export(
    bulkup: Bulkup, tmp_path: Path, where: str
) -> None:
    """Beside an archive that one of them was unpacked from, and somebody else's export."""
    downloads = tmp_path / "downloads"
    for number, part in enumerate(PARTS[:2]):
        top = {"Takeout/one": f"Takeout/{number}/Takeout/", "renamed": f"part {number}/Takeout/"}
        folder = downloads / top.get(where, ("Takeout/", "Takeout 2/")[number])
        for name in part:
            path = folder / name.removeprefix("Takeout/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(FILES[name])
    inner = downloads / "Takeout" if where == "Takeout/one" else downloads
    for archive, names in {"copy.zip": PARTS[1], "rest.zip": PARTS[2]}.items():
        make_part(inner / archive, names)
    with zipfile.ZipFile(inner / "xylo.zip", "w") as other:
        other.writestr(YEAR + "IMG_1.jpg", jpeg(99))
        other.writestr(YEAR + "IMG_1.jpg.json", note("IMG_1.jpg", TAKEN + 9))
        other.writestr(YEAR + "only here.jpg.json", note("only here.jpg"))
    ended = bulkup("push", "downloads", "--to", "store")
    query = "SELECT path, taken_at, taken_from FROM pictures WHERE taken_from <> 'mtime'"
    found = {(Path(path).parts[-2:], *rest) for path, *rest in rows(bulkup, query)}
    wanted = {(Path(path).parts[-2:], *rest[:2]) for path, rest in WANTED.items()}
    assert found == wanted | {(("Photos from 2019", "IMG_1.jpg"), at("12:35:05"), "takeout")}
    assert "2 have none: " in ended.stderr
    albums = rows(bulkup, "SELECT album, path FROM albums WHERE path NOT LIKE '%copy.zip%'")
    ((album, path),) = albums
    assert (album, Path(path).name) == ("Rome & more", "IMG_1.jpg")


def test_folders_with_a_number_sign_are_no_archives(bulkup: Bulkup, tmp_path: Path) -> None:
    """Neither those that parts lie in, nor albums."""
    for number, name in enumerate((YEAR + "a.jpg", YEAR + "a.jpg.json")):
        part = tmp_path / f"disk #{number}/takeout-20240131T101112Z-00{number + 1}.zip"
        part.parent.mkdir()
        with zipfile.ZipFile(part, "w") as archive:
            archive.writestr(name, note("a.jpg") if name.endswith("json") else jpeg(1))
    album = tmp_path / "disk #2/Takeout/Google Photos/Trip #2/b.jpg"
    album.parent.mkdir(parents=True)
    album.write_bytes(jpeg(2))
    album.with_name("b.jpg.json").write_bytes(note("b.jpg", TAKEN + 1))
    roots = [f"disk #{number}" for number in range(3)]
    bulkup("push", *roots, "--to", "store", "--album-from-folder")
    found = rows(bulkup, "SELECT taken_at, taken_from FROM pictures ORDER BY path DESC")
    assert found == [(at("12:34:56"), "takeout"), (at("12:34:57"), "takeout")]
    assert rows(bulkup, "SELECT album FROM albums ORDER BY 1") == [
        ("Photos from 2019",),
        ("Trip #2",),
    ]


def test_an_export_that_was_unpacked(bulkup: Bulkup, tmp_path: Path) -> None:
    """And a JSON that changes is read again, without a new variant."""
    for name, body in FILES.items():
        path = tmp_path / "all" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    bulkup("push", "all", "--to", "store")
    require_all(bulkup)
    (tmp_path / "all" / (YEAR + "IMG_1.jpg.json")).write_bytes(note("IMG_1.jpg", TAKEN + 60))
    before = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "store/.bulkup").rglob("*.webp")
    }
    bulkup("push", "all")
    assert pictures(bulkup)[YEAR + "IMG_1.jpg"][0] == at("12:35:56")
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "store/.bulkup").rglob("*.webp")}
    assert after == before


@pytest.mark.parametrize("root", ["Takeout", "Takeout/Google Photos", "Pictures"])
def test_a_folder_inside_of_an_export_keeps_its_albums(
    bulkup: Bulkup, tmp_path: Path, root: str
) -> None:
    """Whatever it is called now."""
    for name, body in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    if root == "Pictures":
        (tmp_path / "Takeout/Google Photos").rename(tmp_path / root)
    bulkup("push", root, "--to", "store", "--stages", "upload")
    albums = rows(bulkup, "SELECT album, source, path FROM albums")
    assert [(album, source) for album, source, _ in albums] == [("Rome & more", "takeout")]


@pytest.mark.parametrize("archive", [True, False])
def test_an_album_without_json_files_in_a_folder_that_was_moved_out_of_its_export(
    bulkup: Bulkup, tmp_path: Path, archive: bool
) -> None:
    """Its own JSON is known by those of the folders beside it."""
    names = [
        YEAR + "IMG_1.jpg",
        YEAR + "IMG_1.jpg.json",
        BEST + "IMG_1.jpg",
        BEST + "metadata.json",
    ]
    files = {name.removeprefix("Takeout/Google Photos/"): TWINS[name] for name in names}
    files["elsewhere/data/metadata.json"] = files["Best of/metadata.json"]
    files["elsewhere/data/a.jpg"] = jpeg(8)
    files["Photos from 2019/lost.jpg"] = jpeg(9)
    (tmp_path / "Pictures").mkdir()
    if archive:
        with zipfile.ZipFile(tmp_path / "Pictures/all.zip", "w") as made:
            for name, body in files.items():
                made.writestr(name, body)
    else:
        for name, body in files.items():
            path = tmp_path / "Pictures" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
    ended = bulkup("push", "Pictures", "--to", "store", "--stages", "upload")
    assert "Takeout: 2 files have their JSON, 1 has none: " in ended.stderr
    ((album, path),) = rows(bulkup, "SELECT album, path FROM albums")
    assert album == "Best of"
    assert path.endswith("Best of/IMG_1.jpg")
    assert rows(bulkup, "SELECT count(*) FROM takeout WHERE json = 'IMG_1.jpg.json'") == [(2,)]


def test_two_exports_of_the_same_names_are_not_mixed(bulkup: Bulkup, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for number, stamp in enumerate(("20240131T101112Z", "20240201T101112Z")):
        with zipfile.ZipFile(tmp_path / f"parts/takeout-{stamp}-001.zip", "w") as archive:
            archive.writestr(YEAR + "a.jpg", jpeg(10 + number))
            archive.writestr(YEAR + "a.jpg.json", note("a.jpg", TAKEN + number))
    bulkup("push", "parts", "--to", "store")
    found = rows(bulkup, "SELECT path, taken_at FROM pictures ORDER BY path")
    assert [taken for _, taken in found] == [
        at("12:34:56"),
        at("12:34:57"),
    ]


def test_the_zone_comes_from_the_picture_and_the_note_together(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """The camera's clock says when by its own zone, the note says when in UTC."""
    folder = tmp_path / "all" / YEAR
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(jpeg(1, "2019:03:17 13:34:56"))
    (folder / "a.jpg.json").write_bytes(note("a.jpg"))
    (folder / "b.jpg").write_bytes(jpeg(2, "2019:03:17 12:34:56"))
    (folder / "b.jpg.json").write_bytes(note("b.jpg"))
    bulkup("push", "all", "--to", "store")
    found = pictures(bulkup)
    assert found[YEAR + "a.jpg"][:2] == ("2019-03-17T13:34:56+01:00", "exif")
    assert found[YEAR + "b.jpg"][:2] == ("2019-03-17T12:34:56", "exif")


def test_notes_survive_their_parts(bulkup: Bulkup, tmp_path: Path) -> None:
    """Parts are deleted as soon as they were pushed."""
    (tmp_path / "parts").mkdir()
    for number, part in enumerate(PARTS):
        path = tmp_path / f"parts/takeout-20240131T101112Z-00{number + 1}.zip"
        make_part(path, part)
        bulkup("push", "parts", "--to", "store")
        next(path.parent.iterdir()).unlink()
    require_all(bulkup)


def test_other_json_files_are_not_touched(bulkup: Bulkup, tmp_path: Path) -> None:
    """Not even read, unless they are called like a picture; hostile ones do no harm."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg(1))
    (folder / "a.jpg.json").write_bytes(b"[" * 100_000)
    (folder / "data.json").write_bytes(b'{"title": "a.jpg", "photoTakenTime": {"timestamp": "1"}}')
    bulkup("push", "photos", "--to", "store")
    assert rows(bulkup, "SELECT taken_from FROM pictures") == [("mtime",)]
    shutil.rmtree(folder)


def test_an_album_is_pulled_and_searched(bulkup: Bulkup, tmp_path: Path) -> None:
    """Only its files, in whatever case its name is written; an unknown one is named."""
    (tmp_path / "parts").mkdir()
    for number, part in enumerate(PARTS):
        make_part(tmp_path / f"parts/takeout-20240131T101112Z-00{number + 1}.zip", part)
    bulkup("push", "parts", "--to", "store", "--stages", "upload,process,embed")
    bulkup("pull", "--album", "rome & MORE", "--into", "back")
    found = [path for path in (tmp_path / "back").rglob("*") if path.is_file()]
    assert [path.name for path in found] == ["IMG_1.jpg"]
    hits = bulkup("search", "jpg", "--album", "Rome & more", "--json").json()
    assert [Path(hit["path"]).name for hit in hits] == ["IMG_1.jpg"]
    assert "Rome" in hits[0]["path"]
    ended = bulkup("pull", "--album", "Paris", "--into", "x", check=2)
    assert "Albums: Rome & more." in ended.stderr
    bulkup("pull", "--search", "own date", "--limit", "1", "--into", "searched")
    assert [path.name for path in (tmp_path / "searched").rglob("*.jpg")] == ["own date.jpg"]


def test_folders_become_albums_when_asked_for(bulkup: Bulkup, tmp_path: Path) -> None:
    """A content is in all the albums of its files."""
    for name, seed in (("Rome/a.jpg", 1), ("Rome/b.jpg", 2), ("best/a.jpg", 1), ("top.jpg", 3)):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(seed))
    bulkup("push", "photos", "--to", "store")
    assert rows(bulkup, "SELECT count(*) FROM albums") == [(0,)]
    for _ in range(2):
        bulkup("push", "photos", "--album-from-folder")
        found = rows(bulkup, "SELECT album, source, path FROM albums ORDER BY path")
        assert found == [
            ("Rome", "folder", "Rome/a.jpg"),
            ("Rome", "folder", "Rome/b.jpg"),
            ("best", "folder", "best/a.jpg"),
            ("photos", "folder", "top.jpg"),
        ]
    assert rows(
        bulkup,
        "SELECT group_concat(DISTINCT album) FROM (SELECT * FROM albums ORDER BY album) "
        "GROUP BY digest HAVING count(*) = 2",
    ) == [("Rome,best",)]


def test_an_album_of_a_macs_folder_is_found_as_it_is_typed(bulkup: Bulkup, tmp_path: Path) -> None:
    """Macs decompose the accents of names, keyboards do not."""
    for form in ("NFC", "NFD"):
        folder = tmp_path / form / normalize(form, "Été à Nîmes")
        folder.mkdir(parents=True)
        (folder / f"{form}.jpg").write_bytes(jpeg(len(form + folder.name)))
    bulkup("push", "NFC", "NFD", "--album-from-folder", "--to", "store", "--stages", "upload")
    bulkup("pull", "--album", normalize("NFC", "été à nîmes"), "--into", "back")
    assert {path.name for path in (tmp_path / "back").rglob("*.jpg")} == {"NFC.jpg", "NFD.jpg"}


def test_every_json_of_a_large_folder_is_read(bulkup: Bulkup, tmp_path: Path) -> None:
    """More than are recorded together."""
    folder = tmp_path / "all" / YEAR
    folder.mkdir(parents=True)
    for number in range(2_100):
        (folder / f"IMG_{number}.jpg").write_bytes(b"\xff\xd8\xff%d" % number)
        (folder / f"IMG_{number}.jpg.json").write_bytes(note(f"IMG_{number}.jpg", TAKEN + number))
    ended = bulkup("push", "all", "--to", "store", "--stages", "upload")
    assert "JSON" not in ended.stderr
    found = rows(bulkup, "SELECT count(*), count(asset_id), count(DISTINCT asset_id) FROM takeout")
    assert found == [(2_100, 2_100, 2_100)]

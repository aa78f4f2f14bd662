"""bulkup search: questions, filters, forms of the answer, and a manifest in any state."""

from __future__ import annotations

import io
import os
import re
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pexpect
import pytest
from PIL import Image, ImageDraw

from tests.e2e.conftest import PROGRAM, Bulkup
from tests.e2e.pictures import asked, photo, photos, with_place
from tests.e2e.trees import access, make_tree
from tests.fakes.s3_server import FakeS3
from tests.unit.content.picture.made import saved, scene

NAMES = ("alps/red boat.jpg", "alps/hut.jpg", "sea/pier.jpg", "sea/boat.jpg")


def manifest_of(bulkup: Bulkup) -> Path:
    return bulkup.home / "manifest.db"


def patterned(seed: int, **options: Any) -> bytes:
    """A picture that looks like no other: a coloured mist with shapes in it."""
    random = Random(seed)
    image = Image.frombytes("RGB", (5, 4), random.randbytes(60)).resize((320, 240))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        corners = [(random.randrange(320), random.randrange(240)) for _ in range(3)]
        draw.polygon(corners, fill=tuple(random.randbytes(3)))
    return saved(image, **options)


@pytest.fixture
def pushed(bulkup: Bulkup) -> Bulkup:
    """Four pictures in two folders, searchable."""
    make_tree(
        bulkup.directory / "photos",
        {name: patterned(number) for number, name in enumerate(NAMES)},
    )
    bulkup("push", "photos", "--to", "store")
    return bulkup


def paths(bulkup: Bulkup, *question: str | Path, **options: Any) -> list[str]:
    """The hits, by their paths below the root."""
    root = f"{bulkup.directory / 'photos'}/"
    hits = bulkup("search", *question, "--json", **options).json()
    return [hit["path"].removeprefix(root) for hit in hits]


# What is asked ------------------------------------------------------------------------------------


def test_json_is_an_array_best_first(pushed: Bulkup) -> None:
    hits = pushed("search", "boat", "--json").json()
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert {"path", "digest", "key", "score"} <= hits[0].keys()
    assert {hit["key"] for hit in hits} == set(NAMES)
    assert {hit["key"] for hit in hits[:2]} == {"alps/red boat.jpg", "sea/boat.jpg"}


def test_more_literal_words_come_first(pushed: Bulkup) -> None:
    assert paths(pushed, "sea boat")[0] == "sea/boat.jpg"
    assert paths(pushed, "red", "boat")[0] == "alps/red boat.jpg"


def test_an_unknown_word_names_the_nearest(pushed: Bulkup) -> None:
    ended = pushed("search", "xyzzy", "--json", check=2)
    assert ended.stdout == ""
    assert "unknown word 'xyzzy'" in ended.stderr
    assert "nearest known: dizzy" in ended.stderr


def test_known_and_unknown_words_together_find_by_the_known(pushed: Bulkup) -> None:
    ended = pushed("search", "boat", "xyzzy", "--json")
    assert len(ended.json()) == 4
    assert "unknown word 'xyzzy'; nearest known: dizzy" in ended.stderr
    assert pushed("search", "boat", "xyzzy", "--json", "--quiet").stderr == ""


def test_signs_alone_are_no_question(pushed: Bulkup) -> None:
    assert "nothing to look for" in pushed("search", "?!", check=2).stderr


@pytest.mark.parametrize(
    "question",
    [
        ("boat", "--duplicates"),
        ("boat", "--like", "x.jpg"),
        ("boat", "--json", "--print0"),
        ("boat", "--html", ""),
        ("--like", ""),
        ("--like", "x.jpg", "--duplicates"),
        (),
        ("--limit", "0", "boat"),
        ("boat", "--after", "yesterday"),
        ("boat", "--near", "here"),
        ("boat", "--model", "nothing-like-it"),
    ],
)
def test_what_is_no_question(pushed: Bulkup, question: tuple[str, ...]) -> None:
    ended = pushed("search", *question, check=2)
    assert ended.stdout == ""
    assert ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("before", ["no manifest", "an empty push", "uploads alone"])
def test_nothing_is_searchable_yet(bulkup: Bulkup, before: str) -> None:
    if before != "no manifest":
        photos(bulkup.directory / "photos", 0 if before == "an empty push" else 2)
        bulkup("push", "photos", "--to", "store", "--stages", "upload", check=None)
    for question in (("boat",), ("--like", "x.jpg")):
        ended = bulkup("search", *question)
        assert ended.stdout == ""
        assert re.search("Nothing has been pushed|nothing is searchable yet", ended.stderr)
    ended = bulkup("search", "boat", "--json", "--html", "hits.html")
    assert ended.json() == []
    assert "Nothing to show" in (bulkup.directory / "hits.html").read_text()
    assert bulkup("search", "--duplicates", "--json").json() == []
    assert bulkup("search", "boat", "--print0").stdout == ""


# Filters ------------------------------------------------------------------------------------------


def test_filters(bulkup: Bulkup) -> None:
    spring = with_place(photo(1))
    stamped = Image.open(io.BytesIO(photo(2)))
    exif = Image.Exif()
    exif[0x0110] = "Camera of 2019"
    exif.get_ifd(0x8769)[0x9003] = "2019:05:17 10:00:00"
    body = io.BytesIO()
    stamped.save(body, "JPEG", exif=exif)
    make_tree(
        bulkup.directory / "photos",
        {"spring.jpg": spring, "may/stamped.jpg": body.getvalue(), "none.jpg": photo(3)},
    )
    bulkup("push", "photos", "--to", "store")
    assert paths(bulkup, "mountain", "--after", "2019") == ["may/stamped.jpg"]
    assert paths(bulkup, "mountain", "--after", "2019-05-18") == []
    assert paths(bulkup, "mountain", "--before", "2019-06") == ["may/stamped.jpg"]
    assert paths(bulkup, "mountain", "--before", "2019") == []
    assert paths(bulkup, "mountain", "--camera", "OF 2019") == ["may/stamped.jpg"]
    assert paths(bulkup, "mountain", "--near", "47.5,8.25,1") == ["spring.jpg"]
    assert paths(bulkup, "mountain", "--near", "47.5,8.0,1") == []
    assert paths(bulkup, "mountain", "--path", "may/*") == ["may/stamped.jpg"]
    assert paths(bulkup, "--like", "photos/spring.jpg", "--path", "none.*") == ["none.jpg"]
    assert paths(bulkup, "17 May 2019")[0] == "may/stamped.jpg"
    ended = bulkup("search", "mountain", "--path", "nowhere/*")
    assert ended.stdout == ""
    assert "No file matches nowhere/*" in ended.stderr


def test_of_several_files_the_one_that_was_asked_for_is_shown(bulkup: Bulkup) -> None:
    body = photo(1)
    make_tree(bulkup.directory / "photos", {"a/one.jpg": body, "harbour/two.jpg": body})
    bulkup("push", "photos", "--to", "store")
    assert paths(bulkup, "mountain") == ["a/one.jpg"]
    assert paths(bulkup, "harbour") == ["harbour/two.jpg"]
    assert paths(bulkup, "mountain", "--path", "harbour/*") == ["harbour/two.jpg"]


def test_a_limit_and_paths_for_xargs(pushed: Bulkup) -> None:
    assert len(paths(pushed, "boat", "--limit", "3")) == 3
    ended = pushed("search", "boat", "--limit", "2", "--print0")
    assert ended.stderr == ""
    named = ended.stdout.split("\0")
    assert named.pop() == ""
    assert len(named) == 2
    assert all(Path(name).is_file() for name in named)


def test_names_that_are_no_utf_8_and_control_characters(bulkup: Bulkup) -> None:
    root = bulkup.directory / "photos"
    root.mkdir()
    odd = os.fsencode(root) + b"/\xff\x1b[31mboat.jpg"
    with open(odd, "wb") as file:
        file.write(photo(1))
    bulkup("push", "photos", "--to", "store")
    ended = bulkup("search", "boat", "--print0")
    assert os.fsencode(ended.stdout) == odd + b"\0"
    assert "\x1b" not in bulkup("search", "boat").stdout
    bulkup("search", "boat", "--html", "hits.html")
    assert b"\x1b" not in (bulkup.directory / "hits.html").read_bytes()
    (hit,) = bulkup("search", "boat", "--json").json()
    assert os.fsencode(hit["path"]) == odd


# By example ---------------------------------------------------------------------------------------


def test_like_a_file_from_elsewhere(pushed: Bulkup) -> None:
    example = pushed.directory / "elsewhere.png"
    with Image.open(io.BytesIO(patterned(2))) as image:
        image.resize((200, 150)).save(example)
    assert paths(pushed, "--like", example)[0] == "sea/pier.jpg"
    assert paths(pushed, "--like", "elsewhere.png")[0] == "sea/pier.jpg"


def test_like_a_path_in_the_manifest_there_or_gone(pushed: Bulkup) -> None:
    (hit, *_) = pushed("search", "--like", "photos/sea/pier.jpg", "--json").json()
    assert hit["key"] == "sea/pier.jpg"
    assert hit["score"] == pytest.approx(1.0, abs=2e-3)
    shutil.rmtree(pushed.directory / "photos")
    assert paths(pushed, "--like", "photos/sea/pier.jpg")[0] == "sea/pier.jpg"
    (pushed.directory / "photos").mkdir()
    pushed("push", "photos")
    assert paths(pushed, "--like", "photos/sea/pier.jpg")[0] == "sea/pier.jpg"


def test_like_a_member_of_an_archive(bulkup: Bulkup) -> None:
    root = bulkup.directory / "photos"
    root.mkdir()
    with zipfile.ZipFile(root / "old#1.zip", "w") as archive:
        archive.writestr("inner/one.jpg", patterned(1))
        archive.writestr("top.jpg", patterned(2))
    bulkup("push", "photos", "--to", "store")
    for member in ("inner/one.jpg", "top.jpg"):
        found = paths(bulkup, "--like", f"photos/old#1.zip#{member}", "--limit", "1")
        assert found == [f"old#1.zip#{member}"]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"no picture at all", "no picture"), (b"", "empty"), (saved(scene())[:200], "")],
)
def test_like_what_is_no_picture(pushed: Bulkup, content: bytes, said: str) -> None:
    (pushed.directory / "x.jpg").write_bytes(content)
    ended = pushed("search", "--like", "x.jpg", "--json", check=2)
    assert ended.stderr.startswith("bulkup: --like ")
    assert said in ended.stderr
    assert ended.stdout == ""


def test_like_what_is_not_there(pushed: Bulkup) -> None:
    ended = pushed("search", "--like", "nothing.jpg", check=2)
    assert "neither a file nor a path in the manifest" in ended.stderr
    assert pushed("search", "--like", "photos", check=2).stdout == ""


def test_like_a_file_that_was_only_uploaded(pushed: Bulkup) -> None:
    photos(pushed.directory / "photos", 1)
    pushed("push", "photos", "--stages", "upload")
    assert len(paths(pushed, "--like", "photos/000.jpg")) == 4
    (pushed.directory / "photos/000.jpg").unlink()
    ended = pushed("search", "--like", "photos/000.jpg", check=2)
    assert "not embedded" in ended.stderr


# Near-duplicates ----------------------------------------------------------------------------------


def test_near_duplicates_are_grouped_the_best_first(bulkup: Bulkup) -> None:
    make_tree(
        bulkup.directory / "photos",
        {
            "a.jpg": patterned(1, quality=95),
            "a again.jpg": patterned(1, quality=60),
            "a small.jpg": saved(_shrunk(patterned(1)), quality=80),
            "b.jpg": patterned(3, quality=95),
            "b again.jpg": patterned(3, quality=50),
            "c.jpg": patterned(5),
        },
    )
    bulkup("push", "photos", "--to", "store")
    hits = bulkup("search", "--duplicates", "--json").json()
    groups: dict[int, list[str]] = {}
    for hit in hits:
        groups.setdefault(hit["group"], []).append(hit["key"])
    assert sorted(map(sorted, groups.values())) == [
        ["a again.jpg", "a small.jpg", "a.jpg"],
        ["b again.jpg", "b.jpg"],
    ]
    assert {keys[0] for keys in groups.values()} == {"a.jpg", "b.jpg"}
    assert {hit["group"] for hit in bulkup("search", "--duplicates", "--limit", "1",
                                           "--json").json()} == {1}  # fmt: skip
    bulkup("search", "--duplicates", "--html", "twice.html")
    sheet = (bulkup.directory / "twice.html").read_text()
    assert sheet.count("<h2>Group ") == 2
    assert sheet.count("data:image/webp") == 5
    assert "Group" in bulkup("search", "--duplicates").stdout


def _shrunk(body: bytes) -> Image.Image:
    return Image.open(io.BytesIO(body)).resize((200, 150))


# The answer's form --------------------------------------------------------------------------------


def test_a_pipe_gets_plain_text_and_a_terminal_a_table(pushed: Bulkup) -> None:
    plain = pushed("search", "boat", "--limit", "2")
    assert "\x1b" not in plain.stdout
    assert len(plain.stdout.splitlines()) == 3
    shown = pexpect.run(
        f"{PROGRAM} search boat --limit 2",
        env={**pushed.environment(), "TERM": "xterm"},  # type: ignore[arg-type]
        cwd=str(pushed.directory),
        encoding="utf-8",
    )
    assert "sea/boat.jpg" in shown.replace("\r\n", "")


def test_the_sheet_is_private_whole_and_replaced(pushed: Bulkup) -> None:
    sheet = pushed.directory / "hits.html"
    pushed("search", "boat", "--html", sheet, "--limit", "1")
    assert sheet.read_text().count("data:image/webp;base64,") == 1
    pushed("search", "boat", "--html", sheet)
    assert sheet.stat().st_mode & 0o777 == 0o600
    text = sheet.read_text()
    assert text.rstrip().endswith("</html>")
    assert text.count("data:image/webp;base64,") == 4
    assert [p.name for p in pushed.directory.glob("*hits*")] == ["hits.html"]
    ended = pushed("search", "boat", "--html", "no/such/folder.html", check=2)
    assert "--html" in ended.stderr


def test_the_sheet_has_gaps_where_the_destination_is_gone(pushed: Bulkup) -> None:
    thumbs = sorted((pushed.directory / "store/.bulkup/thumb").rglob("*.webp"))
    thumbs[0].unlink()
    pushed("search", "boat", "--html", "some.html")
    assert (pushed.directory / "some.html").read_text().count("data:image/webp") == 4
    (pushed.directory / "store").rename(pushed.directory / "away")
    (pushed.directory / "photos").rename(pushed.directory / "away too")
    ended = pushed("search", "boat", "--html", "none.html", check=3)
    assert f"4 thumbnails could not be fetched from {pushed.directory / 'store'}: " in ended.stderr
    text = (pushed.directory / "none.html").read_text()
    assert text.count("no thumbnail") == 4
    assert text.count("boat.jpg") >= 2


def test_the_sheet_from_a_bucket(bulkup: Bulkup, fake_s3: Callable[..., FakeS3]) -> None:
    s3 = fake_s3(keep_bodies=True)
    photos(bulkup.directory / "photos", 3)
    bulkup("push", "photos", "--to", "s3://bucket/all", env=access(s3.url))
    bulkup("search", "mountain", "--html", "hits.html", env=access(s3.url))
    text = (bulkup.directory / "hits.html").read_text()
    assert text.count("data:image/webp;base64,") == 3
    (bulkup.directory / "hits.html").unlink()
    elsewhere = access("http://127.0.0.1:9", AWS_ENDPOINT_URL="")
    s3.script()
    bulkup("search", "mountain", "--html", "hits.html", env={**elsewhere, "AWS_ACCESS_KEY_ID": ""})
    assert (bulkup.directory / "hits.html").read_text().count("<li>") == 3


# The derived files --------------------------------------------------------------------------------


def derived(bulkup: Bulkup) -> list[Path]:
    return sorted(bulkup.home.glob("manifest.db.*-1"))


def test_derived_files_may_be_removed_or_damaged(pushed: Bulkup) -> None:
    words = pushed("search", "boat", "--json").stdout
    like = pushed("search", "--like", "photos/sea/pier.jpg", "--json").stdout
    files = derived(pushed)
    assert len(files) == 2
    assert all(one.stat().st_mode & 0o777 == 0o600 for one in files)

    def check() -> None:
        assert pushed("search", "boat", "--json").stdout == words
        assert pushed("search", "--like", "photos/sea/pier.jpg", "--json").stdout == like

    for one in files:
        one.unlink()
    check()
    for one in files:
        one.write_bytes(one.read_bytes()[:-100])
    check()
    for one in files:
        body = bytearray(one.read_bytes())
        body[4096:5000] = bytes(904)
        one.write_bytes(body)
    check()
    for one in files:
        one.write_bytes(b"")
    check()


def test_another_manifest_at_the_same_path(pushed: Bulkup) -> None:
    pushed("search", "boat", "--json")
    pushed("search", "--like", "photos/sea/pier.jpg")
    for one in pushed.home.glob("manifest.db*"):
        if one not in derived(pushed):
            one.unlink()
    make_tree(
        pushed.directory / "others",
        {f"{n}.jpg": patterned(n + 1) for n in (2, 0, 3, 1)},
    )
    pushed("push", "others", "--to", "elsewhere")
    for number in range(4):
        (hit, *_) = pushed("search", "--like", f"others/{number}.jpg", "--json").json()
        assert hit["key"] == f"{number}.jpg"
    assert len(pushed("search", "boat", "--json").json()) == 4


def test_what_is_new_is_found_at_once(pushed: Bulkup) -> None:
    pushed("search", "--like", "photos/sea/pier.jpg")
    make_tree(pushed.directory / "photos", {"new.jpg": patterned(6)})
    pushed("push", "photos")
    assert paths(pushed, "--like", "photos/new.jpg")[0] == "new.jpg"
    pushed("embed", "--force")
    assert paths(pushed, "--like", "photos/new.jpg")[0] == "new.jpg"
    assert len(paths(pushed, "boat")) == 5


def test_searches_at_the_same_time(pushed: Bulkup) -> None:
    expected = pushed("search", "boat", "--json").stdout
    for one in derived(pushed):
        one.unlink()
    started = [pushed.start("search", "boat", "--json") for _ in range(6)]
    assert {pushed.finish(one, check=0).stdout for one in started} == {expected}
    assert not list(pushed.home.glob(".*.part"))


def test_a_directory_that_cannot_be_written(pushed: Bulkup) -> None:
    expected = pushed("search", "boat", "--json").stdout
    closed = pushed.directory / "closed"
    closed.mkdir()
    with closing(sqlite3.connect(manifest_of(pushed))) as db, db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    shutil.copy(manifest_of(pushed), closed / "manifest.db")
    (closed / "manifest.db").chmod(0o400)
    closed.chmod(0o500)
    try:
        ended = pushed("search", "boat", "--json", "--manifest", closed / "manifest.db")
    finally:
        closed.chmod(0o700)
    assert ended.stdout == expected


def test_searching_writes_nothing_into_the_manifest(pushed: Bulkup) -> None:
    before = asked(manifest_of(pushed), "PRAGMA data_version")
    pushed("search", "boat")
    pushed("search", "--duplicates")
    assert asked(manifest_of(pushed), "PRAGMA data_version") == before


def test_keywords_and_titles_of_sidecars_are_matched(bulkup: Bulkup) -> None:
    root = photos(bulkup.directory / "photos", 3)
    (root / "001.jpg.xmp").write_text(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>Zwetschge'
        "</rdf:li><rdf:li>garden</rdf:li></rdf:Bag></dc:subject><dc:title><rdf:Alt>"
        '<rdf:li xml:lang="x-default">Grandma Erna</rdf:li></rdf:Alt></dc:title>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    bulkup("push", "photos")
    for question in ("zwetschge", "erna"):
        found = bulkup("search", question, "--json").json()
        assert found[0]["path"].endswith("001.jpg"), question
        assert found[0]["score"] >= 0.8

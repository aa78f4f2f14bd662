"""Pictures as a search asks for them: in any root, under any name, at any destination."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.search import Searchable
from bulkup.model import Stage
from tests.sql import sql
from tests.unit.manifest.queue.test_stages import claim
from tests.unit.manifest.recording import NOW, Pusher, digest_of, file, folder, rows
from tests.unit.manifest.test_embeddings import embed, embeddable


@pytest.fixture
def searchable(manifest: Manifest) -> Iterator[Searchable]:
    with Reader(manifest.path) as reader:
        yield reader.searchable


def pushed(manifest: Manifest, root: str, files: dict[str, str], *, to: str = "/to") -> None:
    """Files by path below the root, each with what it holds; a '#' may end a folder, too."""
    pusher = Pusher.begin(manifest, f"push {root} {to}", root=root, to=to)
    for path, content in files.items():
        cut = max(path.rfind("/"), path.rfind("#")) + 1
        works = pusher.record(folder(path[:cut], new=[file(path[cut:])]))
        key = path.encode(errors="replace").decode()
        found = pusher.register((works[0], content), key=key)
        pusher.done(*((one.work, one.key) for one in found if one.key is not None))
    pusher.end()


def test_a_content_by_path(manifest: Manifest, searchable: Searchable) -> None:
    odd = os.fsdecode(b"b\xff.jpg")
    pushed(
        manifest,
        "/root",
        {"a.jpg": "1", "deep/er/a.jpg": "2", f"deep/{odd}": "3", "x.zip#in/a.jpg": "4",
         "y#1.zip#a.jpg": "5"},
    )  # fmt: skip
    pushed(manifest, "/", {"top.jpg": "6"})
    expected = {
        "/root/a.jpg": "1",
        "/root/deep/er/a.jpg": "2",
        f"/root/deep/{odd}": "3",
        "/root/x.zip#in/a.jpg": "4",
        "/root/y#1.zip#a.jpg": "5",
        "/top.jpg": "6",
    }
    for path, content in expected.items():
        found = searchable.content_at(path)
        assert found is not None, path
        assert found == searchable.content_of(digest_of(content)), path
    for path in ("/root", "/root/", "/root/deep", "/root/b.jpg", "/rooted/a.jpg", "a.jpg", "/"):
        assert searchable.content_at(path) is None, path
    assert searchable.content_of(digest_of("7")) is None


def test_a_file_that_was_not_read_yet_has_no_content(
    manifest: Manifest, searchable: Searchable
) -> None:
    Pusher.begin(manifest, "a", root="/root").record(folder(new=[file("a.jpg")]), hand_over=0)
    found = searchable.content_at("/root/a.jpg")
    assert found is None or rows(manifest, "SELECT digest FROM content") == [(None,)]


def test_pictures_come_by_content_with_all_their_files(
    manifest: Manifest, searchable: Searchable
) -> None:
    scope = embeddable(manifest, "a.jpg", "b.jpg", "c.jpg")
    pushed(manifest, "/other", {"again/b.jpg": "b.jpg"})
    a, b, _ = claim(manifest, scope)
    embed(manifest, b, a)
    row = manifest.embeddings.newest()
    assert row is not None
    found = list(searchable.embedded(row.id))
    assert [one.content_id for one in found] == [a.content_id, b.content_id]
    assert found[1].files == (("/root", "b.jpg"), ("/other", "again/b.jpg"))
    assert found[1].path == "/root/b.jpg"
    assert found[0].digest == digest_of("a.jpg")
    assert (found[0].width_px, found[0].camera) == (3000, "Canon EOS 7D")
    assert len(list(searchable.processed())) == 3


def test_a_picture_without_files_is_not_shown(manifest: Manifest, searchable: Searchable) -> None:
    (item,) = claim(manifest, embeddable(manifest, "a.jpg"))
    embed(manifest, item)
    sql(manifest, "DELETE FROM asset")
    row = manifest.embeddings.newest()
    assert row is not None
    assert list(searchable.embedded(row.id)) == []


def test_objects_and_variants_are_placed(manifest: Manifest, searchable: Searchable) -> None:
    (item,) = claim(manifest, embeddable(manifest, "a.jpg"))
    found = searchable.placed([item.content_id, 99])
    assert found.keys() == {item.content_id}
    place = found[item.content_id]
    assert (place.destination_id, place.key) == (1, "a.jpg")
    assert place.variant_key == f".bulkup/preview/{item.digest}.webp"


def test_a_destination_with_a_variant_is_preferred(
    manifest: Manifest, searchable: Searchable
) -> None:
    pushed(manifest, "/elsewhere", {"a.jpg": "a.jpg"}, to="/first")
    pushed(manifest, "/root", {"a.jpg": "a.jpg"}, to="/to")
    (to,) = [one.id for one in manifest.destinations.all() if one.url == "/to"]
    manifest.stage_queue.enqueue_next_stage(to, Stage.PROCESS, now=NOW)
    content_id = searchable.content_of(digest_of("a.jpg"))
    assert content_id is not None
    assert searchable.placed([content_id])[content_id].variant_key is None
    sql(
        manifest,
        "INSERT INTO object (destination_id, key, content_id, kind, size_bytes, stored_at, "
        "variant_digest) VALUES (?, 'v', ?, 'thumb', 1, 1, x'00')",
        to,
        content_id,
    )
    assert searchable.placed([content_id])[content_id] == (to, "a.jpg", "v")


def test_what_never_reached_the_store_has_no_place(
    manifest: Manifest, searchable: Searchable
) -> None:
    pusher = Pusher.begin(manifest, "a", root="/root")
    (work,) = pusher.record(folder(new=[file("a.jpg")]))
    pusher.register((work, "1"))
    content_id = searchable.content_of(digest_of("1"))
    assert content_id is not None
    assert searchable.placed([content_id]) == {}

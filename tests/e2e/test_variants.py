"""Variants at the destination: verified, made again, cleaned away, adopted by a new manifest."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bulkup.clock import SystemClock
from bulkup.manifest.manifest import Manifest
from bulkup.operations.clean import find, remove
from bulkup.stores.open import Access, open_store
from tests.e2e.conftest import Bulkup
from tests.e2e.places import BucketPlace, DirectoryPlace, Place
from tests.e2e.trees import access, digest, make_tree
from tests.fakes.s3_server import FakeS3
from tests.servers.endpoint import Endpoint
from tests.unit.content.picture.made import saved, scene

FILES = {f"{name}.jpg": saved(scene(width, 300)) for name, width in (("a", 400), ("sub/b", 500))}


@pytest.fixture(autouse=True)
def without_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are nothing that a destination holds."""
    monkeypatch.setenv("BULKUP_STAGES", "upload,process")


@pytest.fixture(params=["directory", "moto", pytest.param("ceph", marks=pytest.mark.ceph)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of destination in turn, empty."""
    if request.param == "directory":
        return DirectoryPlace(tmp_path / "store")
    endpoint: Endpoint = request.getfixturevalue("s3" if request.param == "moto" else "ceph")
    return BucketPlace(endpoint, endpoint.make_bucket())


def key_of(name: str, file: str, ending: str | None = None) -> str:
    """The key of a variant, without the prefix."""
    owner = digest(FILES[file])
    ending = ending or {"thumb": "webp", "preview": "jpg"}[name]
    return f".bulkup/{name}/{owner[:2]}/{owner}.{ending}"


def push(bulkup: Bulkup, place: Place, *options: str) -> None:
    """The files, processed."""
    make_tree(bulkup.directory / "photos", FILES)
    bulkup("push", "photos", "--to", place.url, *options, env=place.env)


def findings(bulkup: Bulkup, place: Place, *options: str, check: int = 3) -> dict[str, str]:
    """What verify finds, by key without the prefix."""
    rows = bulkup("verify", *options, "--json", env=place.env, check=check).json()
    prefix = getattr(place, "prefix", "")
    return {row["key"].removeprefix(prefix): row["finding"] for row in rows}


@contextmanager
def manifest(bulkup: Bulkup) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        yield db


# verify -----------------------------------------------------------------------------------------


def test_variants_are_counted_beside_the_objects(bulkup: Bulkup, place: Place) -> None:
    push(bulkup, place)
    ended = bulkup("verify", env=place.env)
    assert ended.stdout.startswith(
        f"{place.url}: 2 objects and 4 variants checked, 0 B read: no problems"
    )
    read = sum(map(len, place.objects().values())) / 1024
    assert f"{read:.1f} KiB read: no problems" in bulkup("verify", "--deep", env=place.env).stdout


def test_a_lost_variant_names_its_file_and_is_made_again(bulkup: Bulkup, place: Place) -> None:
    push(bulkup, place)
    before = place.objects()
    lost = key_of("thumb", "sub/b.jpg")
    place.delete(lost)
    (row,) = bulkup("verify", "--json", env=place.env, check=3).json()
    assert row["key"].endswith(lost)
    assert (row["finding"], row["variant"]) == ("missing", "thumb")
    assert row["paths"] == [str(bulkup.directory / "photos/sub/b.jpg")]
    (failed,) = bulkup("status", "--failed", "--json", check=3).json()
    assert (failed["stage"], failed["state"], failed["error_class"]) == (
        "process",
        "dead",
        "missing",
    )
    assert "variant thumb" in failed["error"]
    assert findings(bulkup, place) == {lost: "missing"}, "until it is made again"

    bulkup("retry", "--failed", env=place.env)
    assert place.objects() == before
    assert findings(bulkup, place, "--deep", check=0) == {}


def test_a_variant_that_came_back_is_done_again(bulkup: Bulkup, place: Place) -> None:
    """With the last of them, not before."""
    push(bulkup, place)
    lost = [key_of(name, "a.jpg") for name in ("thumb", "preview")]
    bodies = [place.objects()[key] for key in lost]
    for key in lost:
        place.delete(key)
    assert findings(bulkup, place) == dict.fromkeys(lost, "missing")
    place.put(lost[0], bodies[0])
    assert findings(bulkup, place) == {lost[1]: "missing"}
    assert bulkup("status", "--failed", check=3).code == 3
    place.put(lost[1], bodies[1])
    assert findings(bulkup, place, check=0) == {}
    assert bulkup("status", "--failed").code == 0


def test_a_variant_with_other_bytes_is_found(bulkup: Bulkup, place: Place) -> None:
    push(bulkup, place)
    before, key = place.objects(), key_of("preview", "a.jpg")
    place.put(key, place.objects()[key_of("preview", "sub/b.jpg")])
    found = findings(bulkup, place)
    assert found in ({key: "different"}, {key: "short"})
    (failed,) = bulkup("status", "--failed", "--json", check=3).json()
    assert (failed["stage"], failed["error_class"]) == ("process", "changed")
    assert "variant preview" in failed["error"]
    bulkup("retry", "--failed", env=place.env)
    assert place.objects() == before, "replaced: nobody but bulkup keeps anything there"
    assert findings(bulkup, place, "--deep", check=0) == {}


def test_deep_reads_the_bytes_of_variants(bulkup: Bulkup, tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "store")
    push(bulkup, place)
    place.flip(key_of("thumb", "a.jpg"))
    assert findings(bulkup, place, check=0) == {}
    assert findings(bulkup, place, "--deep") == {key_of("thumb", "a.jpg"): "different"}
    bulkup("retry", "--failed")
    assert findings(bulkup, place, "--deep", check=0) == {}


# clean ------------------------------------------------------------------------------------------

NOBODY = digest(b"nobody's")
NOBODYS = f".bulkup/thumb/{NOBODY[:2]}/{NOBODY}.webp"


def age(place: DirectoryPlace, *keys: str) -> None:
    """Let the objects be two days old."""
    for key in keys:
        os.utime(place.path / key, (time.time() - 2 * 86_400,) * 2)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryPlace:
    return DirectoryPlace(tmp_path / "store")


def offered(bulkup: Bulkup, *options: str) -> dict[str, str]:
    """Why clean would remove which variant."""
    (found,) = bulkup("clean", "--json", *options).json()["destinations"]
    return {variant["key"]: variant["why"] for variant in found["variants"]}


def test_variants_of_no_content_go_after_a_day(bulkup: Bulkup, store: DirectoryPlace) -> None:
    """And those of contents that are there stay, however old."""
    push(bulkup, store)
    before = store.objects()
    age(store, *before)
    store.put(NOBODYS, b"thumb")
    assert bulkup("clean", "--yes").stdout == "Nothing to clean.\n"
    age(store, NOBODYS)
    shown = bulkup("clean").stdout
    assert f"to remove: {store.url}: 1 variant of no known file (5 B)\n" in shown
    assert offered(bulkup) == {NOBODYS: "unowned"}
    assert NOBODYS in store.objects()
    assert "removed: " in bulkup("clean", "--yes").stdout
    assert store.objects() == before
    assert bulkup("clean").stdout == "Nothing to clean.\n"
    assert findings(bulkup, store, check=0) == {}


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("ready", None),
        ("waiting", None),
        ("claimed", None),
        ("done", "unrecorded"),
        ("skipped", "unrecorded"),
        ("dead", "unrecorded"),
        (None, None),
    ],
)
def test_what_a_run_may_still_record_stays(
    bulkup: Bulkup, store: DirectoryPlace, state: str | None, why: str | None
) -> None:
    """Without an item the picture will be processed some day, and its variants be adopted."""
    push(bulkup, store)
    age(store, *store.objects())
    with manifest(bulkup) as db:
        db.execute("DELETE FROM object WHERE key LIKE '%webp'")
        if state is None:
            db.execute("DELETE FROM item WHERE stage = 'process'")
        db.execute("UPDATE item SET state = ? WHERE stage = 'process'", (state,))
    keys = [key_of("thumb", name) for name in FILES]
    assert offered(bulkup) == (dict.fromkeys(keys, why) if why else {})


async def test_variants_go_from_every_kind_of_destination(bulkup: Bulkup, place: Place) -> None:
    """Looked at in two days' time; what a push adopts between the look and the removal stays."""
    push(bulkup, place)
    body, before = saved(scene(200, 300)), place.objects()
    owner = digest(body)
    theirs = f".bulkup/thumb/{owner[:2]}/{owner}.webp"
    for key in (NOBODYS, theirs):
        place.put(key, b"thumb")
    with Manifest(str(bulkup.home / "manifest.db")) as books:
        (row,) = books.destinations.all()
        store = open_store(
            place.url,
            Access(endpoint_url=row.endpoint_url or None),
            environ={**os.environ, **place.env},
            clock=SystemClock(),
        )
        found = await find(books, row, store, names=(), now=time.time() + 2 * 86_400)
        keys = [one.key.removeprefix(store.prefix) for one in found.variants]
        assert keys == sorted([NOBODYS, theirs])
        make_tree(bulkup.directory / "photos", {"c.jpg": body})
        bulkup("push", "photos", env=place.env)
        await remove(books, row, store, found, names=(), now=time.time())
        await store.close()
    assert theirs in place.objects()
    assert NOBODYS not in place.objects()
    assert before.items() <= place.objects().items()


def test_variants_stay_while_others_keep_objects_there(
    bulkup: Bulkup, store: DirectoryPlace
) -> None:
    """Another manifest's pictures own variants that this one cannot know."""
    push(bulkup, store)
    make_tree(bulkup.directory / "theirs", {"c.jpg": saved(scene(200, 300))})
    bulkup("push", "theirs", "--to", store.url, "--manifest", "theirs.db")
    before = store.objects()
    age(store, *before)
    assert offered(bulkup) == {}
    ended = bulkup("clean", "--yes")
    assert "Nothing to clean.\n" in ended.stdout
    assert (
        f"kept: {store.url}: variants that may belong to others, who keep c.jpg there"
        in ended.stdout
    )
    assert store.objects() == before


def test_variants_stay_where_a_directory_has_two_names(
    bulkup: Bulkup, store: DirectoryPlace
) -> None:
    """Each has rows of its own."""
    push(bulkup, store)
    link = bulkup.directory / "link"
    link.symlink_to(store.path)
    make_tree(bulkup.directory / "more", {"c.jpg": saved(scene(200, 300))})
    bulkup("push", "more", "--to", str(link))
    before = store.objects()
    age(store, *before)
    bulkup("clean", "--yes")
    assert store.objects() == before


def test_variants_of_files_that_are_gone_stay_with_their_originals(
    bulkup: Bulkup, store: DirectoryPlace
) -> None:
    push(bulkup, store)
    before = store.objects()
    age(store, *before)
    (bulkup.directory / "photos/a.jpg").write_bytes(saved(scene(300, 200)))
    bulkup("push", "photos")
    bulkup("clean", "--yes")
    assert before.items() <= store.objects().items()


def test_names_that_are_no_setting_any_more_go_when_they_are_out_of_use(
    bulkup: Bulkup, store: DirectoryPlace
) -> None:
    """A name that the last run still made stays, whatever this directory's settings say."""
    with_small = {"BULKUP_VARIANTS": "thumb:256:webp:80,preview:1440:jpeg:80,small:64:webp:60"}
    make_tree(bulkup.directory / "photos", FILES)
    bulkup("push", "photos", "--to", store.url, env=with_small)
    small = [key_of("small", name, "webp") for name in FILES]
    assert set(small) < set(store.objects())
    age(store, *store.objects())
    assert offered(bulkup) == {}
    with manifest(bulkup) as db:
        db.execute("UPDATE object SET stored_at = stored_at - 100000 WHERE kind = 'small'")
    assert offered(bulkup) == dict.fromkeys(small, "retired")
    assert "2 variants no longer in the settings" in bulkup("clean", "--yes").stdout
    assert not set(small) & set(store.objects())
    assert findings(bulkup, store, check=0) == {}
    assert bulkup("clean").stdout == "Nothing to clean.\n"


# rebuild ----------------------------------------------------------------------------------------


def lose_manifest(bulkup: Bulkup) -> None:
    for file in bulkup.home.glob("manifest.db*"):
        file.unlink()


def test_a_rebuilt_manifest_adopts_the_variants(bulkup: Bulkup, place: Place) -> None:
    """They are no files' objects; processing finds them and reads the metadata again."""
    push(bulkup, place)
    before = place.objects()
    pictures = bulkup("export", "--no-vectors").stdout
    lose_manifest(bulkup)
    rebuilt = bulkup(
        "rebuild", "--from", place.url, "--root", "photos", "--json", env=place.env
    ).json()
    assert (rebuilt["objects"], rebuilt["recorded"], rebuilt["files"]) == (2, 2, 2)
    ended = bulkup("verify", env=place.env).stdout
    assert ended.startswith(f"{place.url}: 2 objects checked"), "and no variant is foreign"
    bulkup("process", env=place.env)
    assert place.objects() == before
    assert bulkup("export", "--no-vectors").stdout == pictures
    assert bulkup("verify", "--deep", env=place.env).stdout.startswith(
        f"{place.url}: 2 objects and 4 variants checked"
    )


def test_adopted_variants_are_not_sent(bulkup: Bulkup, fake_s3: Callable[..., FakeS3]) -> None:
    """Counted at the server: every write is refused, since its key is taken."""
    make_tree(bulkup.directory / "photos", FILES)
    s3 = fake_s3(keep_bodies=True)
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    stored, held = s3.count("PutObject", 200), dict(s3.held)
    lose_manifest(bulkup)
    bulkup("rebuild", "--from", "s3://bucket/p", env=env)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)  # finds only what is there
    assert s3.count("PutObject", 200) == stored
    assert s3.held == held
    status = bulkup("status", "--json", env=env).json()
    assert status["stages"]["process"]["done"] == len(FILES)

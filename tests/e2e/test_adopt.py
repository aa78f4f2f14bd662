"""rebuild --engine: a bucket that bulkup did not fill becomes searchable, each object read once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import asked, photo
from tests.e2e.places import BucketPlace, DirectoryPlace, Place
from tests.e2e.trees import access, digest, objects_in
from tests.fakes.s3_server import FakeS3
from tests.servers import dask
from tests.servers.dask import DaskProcesses
from tests.servers.endpoint import Endpoint

FILES = {
    "2019/a.jpg": photo(1),
    "2019/ü + b.jpg": photo(2),
    "copy of a.jpg": photo(1),
    "notes.txt": b"words",
    "broken.jpg": photo(3)[:200],
}
UNIQUE = 4


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    with dask.running(tmp_path_factory.mktemp("dask"), workers=2) as cluster:
        yield cluster


def fill(place: Place) -> str:
    """A destination that another program filled."""
    for key, body in FILES.items():
        place.put(key, body)
    return place.url


def files_of(bulkup: Bulkup) -> dict[str, tuple[str, str, str | None]]:
    """By key: the digest, and how process and embed ended."""
    return {
        row["key"]: (row["digest"], row["process"], row["embed"])
        for row in bulkup("files", "--json").json()
    }


EXPECTED = {
    "2019/a.jpg": (digest(photo(1)), "done", "done"),
    "2019/ü + b.jpg": (digest(photo(2)), "done", "done"),
    "copy of a.jpg": (digest(photo(1)), "done", "done"),
    "notes.txt": (digest(b"words"), "skipped", "skipped"),
    "broken.jpg": (digest(photo(3)[:200]), "dead", None),
}


def test_a_foreign_store_becomes_searchable_on_a_cluster(
    bulkup: Bulkup, two_workers: DaskProcesses, tmp_path: Path
) -> None:
    url = fill(DirectoryPlace(tmp_path / "store"))
    ended = bulkup("rebuild", "--from", url, "--engine", two_workers.url, check=3)
    assert "5 files adopted" in ended.stdout
    assert files_of(bulkup) == EXPECTED
    assert len(bulkup("search", "--like", _file(tmp_path, photo(2)), "--json").json()) == 2
    assert bulkup("verify", "--deep", "--json").json() == []
    found = bulkup("status", "--json").json()
    assert (found["assets"]["total"], found["assets"]["unique"]) == (len(FILES), UNIQUE)
    assert found["stages"]["upload"]["done"] == UNIQUE
    bulkup("pull", "--into", tmp_path / "out")
    assert objects_in(tmp_path / "out") == FILES


def test_it_is_what_a_push_would_have_made_of_the_same_files(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    url = fill(DirectoryPlace(tmp_path / "store"))
    tree = shutil.copytree(tmp_path / "store", tmp_path / "tree")
    (tmp_path / "elsewhere").mkdir()
    pushed = Bulkup(tmp_path / "elsewhere")
    pushed("push", tree, "--to", tmp_path / "pushed", "--all-files", check=3)
    bulkup("rebuild", "--from", url, "--engine", "local", check=3)
    for query in (
        "SELECT lower(hex(digest)), picture.* FROM picture "
        "JOIN content ON content.id = content_id ORDER BY 1",
        "SELECT lower(hex(digest)), vector, classes FROM embedding "
        "JOIN content ON content.id = content_id ORDER BY 1",
        "SELECT lower(hex(digest)), kind, variant_digest FROM object "
        "JOIN content ON content.id = content_id WHERE variant_digest IS NOT NULL ORDER BY 1, 2",
        "SELECT lower(hex(digest)), stage, state FROM item "
        "JOIN content ON content.id = content_id ORDER BY 1, 2",
    ):
        made, wanted = (
            [_without_ids(row) for row in asked(one.home / "manifest.db", query)]
            for one in (bulkup, pushed)
        )
        assert made == wanted


def test_each_object_of_a_bucket_is_read_once(
    bulkup: Bulkup, fake_s3: Callable[..., FakeS3], tmp_path: Path
) -> None:
    server = fake_s3(keep_bodies=True)
    keys = access(server.url)
    tree = DirectoryPlace(tmp_path / "tree")
    fill(tree)
    bulkup("push", tree.url, "--to", "s3://bucket/p", "--stages", "upload", "--all-files", env=keys)
    bulkup.home.joinpath("manifest.db").unlink()
    before = server.count("GetObject")
    bulkup("rebuild", "--from", "s3://bucket/p", "--engine", "local", env=keys, check=3)
    read = server.count("GetObject") - before
    assert read == UNIQUE  # what bulkup sent is known by its digest: copies were never sent
    bulkup("rebuild", "--from", "s3://bucket/p", "--engine", "local", env=keys, check=3)
    assert server.count("GetObject") - before == read


def test_a_bucket_is_adopted_by_workers_with_keys(
    bulkup: Bulkup, s3: Endpoint, tmp_path: Path
) -> None:
    place = BucketPlace(s3, s3.make_bucket())
    url = fill(place)
    (tmp_path / "dask").mkdir()
    with dask.running(tmp_path / "dask", workers=1, slots=2, environ=place.env) as cluster:
        bulkup("rebuild", "--from", url, "--engine", cluster.url, env=place.env, check=3)
    assert {key.removeprefix("photos/"): row for key, row in files_of(bulkup).items()} == EXPECTED


def test_what_an_interrupted_adoption_left_is_processed_by_the_next_run(
    bulkup: Bulkup, two_workers: DaskProcesses, tmp_path: Path
) -> None:
    """Until then it is known, without a digest."""
    url = fill(DirectoryPlace(tmp_path / "store"))
    ended = bulkup("rebuild", "--from", url, "--engine", "dask://127.0.0.1:1", check=4)
    assert "no Dask scheduler answers" in ended.stderr
    assert {row[0] for row in files_of(bulkup).values()} == {None}
    assert bulkup("verify", "--json").json() == []
    bulkup("process", "--engine", two_workers.url, check=3)
    assert files_of(bulkup) == EXPECTED


def test_a_store_that_was_rebuilt_before_can_be_adopted(bulkup: Bulkup, tmp_path: Path) -> None:
    url = fill(DirectoryPlace(tmp_path / "store"))
    bulkup("rebuild", "--from", url, "--deep")
    bulkup("rebuild", "--from", url, "--engine", "local", check=3)
    assert files_of(bulkup) == EXPECTED


def test_an_adopted_file_that_is_pushed_later_is_a_duplicate(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    url = fill(DirectoryPlace(tmp_path / "store"))
    bulkup("rebuild", "--from", url, "--engine", "local", check=3)
    before = objects_in(Path(url))
    tree = DirectoryPlace(tmp_path / "tree")
    tree.put("mine.jpg", photo(2))
    ended = bulkup("push", tree.url, "--to", url)
    assert " uploaded" not in ended.stdout
    after = objects_in(Path(url))
    assert {key for key in after if "/manifest/" not in key} == {
        key for key in before if "/manifest/" not in key
    }


def test_the_same_bytes_at_two_destinations_are_one_content(bulkup: Bulkup, tmp_path: Path) -> None:
    for name in ("one", "two"):
        url = fill(DirectoryPlace(tmp_path / name))
        bulkup("rebuild", "--from", url, "--engine", "local", check=3)
    found = bulkup("status", "--json").json()
    assert (found["assets"]["total"], found["assets"]["unique"]) == (2 * len(FILES), UNIQUE)
    assert found["stages"]["upload"]["done"] == 2 * UNIQUE
    assert found["stages"]["process"]["done"] == 4
    assert bulkup("verify", "--json").json() == []


def test_signed_urls_are_not_for_what_has_no_digest(
    bulkup: Bulkup, two_workers: DaskProcesses, s3: Endpoint
) -> None:
    place = BucketPlace(s3, s3.make_bucket())
    url = fill(place)
    bulkup("rebuild", "--from", url, "--engine", "dask://127.0.0.1:1", env=place.env, check=4)
    ended = bulkup("process", "--engine", two_workers.url, "--sign", env=place.env, check=2)
    assert "Leave --sign out" in ended.stderr


def _file(folder: Path, body: bytes) -> Path:
    path = folder / "example.jpg"
    path.write_bytes(body)
    return path


def _without_ids(row: object) -> object:
    """A row of `picture` begins with its content's id, after the digest."""
    if not isinstance(row, tuple) or not isinstance(row[1], int):
        return row
    return (row[0], *row[2:])


ODD = ("/abs.jpg", "a//b.jpg", "dir/", "-rf", "#1%.jpg")
NO_URL = ("../up.jpg", "a/../../up.jpg", "x/./y.jpg")


def test_keys_that_are_odd_paths_are_adopted_and_leave_no_folder(
    bulkup: Bulkup, s3: Endpoint, tmp_path: Path
) -> None:
    place = BucketPlace(s3, s3.make_bucket())
    for number, key in enumerate((*ODD, *NO_URL)):
        place.put(key, photo(number))
    ended = bulkup("rebuild", "--from", place.url, "--engine", "local", env=place.env, check=3)
    assert "3 failed" in ended.stdout
    assert "which no URL can name" in ended.stdout
    found = bulkup("files", "--json").json()
    assert {row["key"].removeprefix("photos/") for row in found} == set(ODD)
    assert {row["embed"] for row in found} == {"done"}
    (tmp_path / "in").mkdir()
    bulkup("pull", "--into", tmp_path / "in" / "out", env=place.env, check=3)
    assert not list(tmp_path.rglob("up.jpg"))
    assert not Path("/abs.jpg").exists()
    assert set(objects_in(tmp_path / "in")) == {"out/abs.jpg", "out/-rf", "out/#1%.jpg"}

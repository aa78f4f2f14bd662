"""Where a push goes that does not say it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkup.errors import UsageError
from bulkup.manifest.manifest import Manifest
from bulkup.operations.destination.push_target import PushTarget, require_paths, resolve_target
from bulkup.run.options import Subtree
from bulkup.settings.options import RunOptions, UploadOptions
from tests.unit.manifest.recording import Pusher, file, folder

ENVIRON = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Manifest]:
    with Manifest(str(tmp_path / "m.db")) as opened:
        yield opened


@pytest.fixture
def photos(tmp_path: Path, manifest: Manifest) -> Path:
    """A root that was pushed to the directory `nas`."""
    root = tmp_path / "photos"
    (root / "2024" / "may").mkdir(parents=True)
    picture = root / "2024" / "a.jpg"
    picture.write_bytes(b"abc")
    os.utime(picture, (1, 1))
    Pusher.begin(manifest, "r", root=str(root), to=str(tmp_path / "nas")).record(
        folder("2024/", new=[file("a.jpg")])
    )
    return root


def target_of(manifest: Manifest, *roots: Path, to: str | None = None) -> PushTarget:
    upload = UploadOptions(to=to, default_to="/home/u/.local/share/bulkup/store")
    paths = [str(root) for root in roots]
    return resolve_target(paths, upload, RunOptions(), manifest.destinations, ENVIRON)


def test_a_known_root_goes_where_it_went(manifest: Manifest, photos: Path) -> None:
    target = target_of(manifest, photos)
    assert target.url == str(photos.parent / "nas")
    assert (target.roots[0].root, target.subtrees, target.notices) == (str(photos), (), ())


def test_a_folder_of_a_known_root_keeps_the_root_and_its_keys(
    manifest: Manifest, photos: Path
) -> None:
    target = target_of(manifest, photos / "2024" / "may")
    assert target.url == str(photos.parent / "nas")
    assert [one.path for one in target.roots] == [str(photos)]
    assert target.subtrees == (Subtree(str(photos), "2024/", "may/"),)
    assert target.notices == (
        f"{photos}/2024/may lies in {photos}: pushing to {photos.parent}/nas",
    )


def test_a_file_of_a_known_root_keeps_its_key(manifest: Manifest, photos: Path) -> None:
    target = target_of(manifest, photos / "2024" / "a.jpg")
    assert target.subtrees == (Subtree(str(photos), "2024/", "a.jpg"),)


def test_a_link_to_a_known_root_is_that_root(manifest: Manifest, photos: Path) -> None:
    link = photos.parent / "link"
    link.symlink_to(photos)
    assert [one.path for one in target_of(manifest, link).roots] == [str(photos)]
    assert target_of(manifest, link / "2024").subtrees == (Subtree(str(photos), "", "2024/"),)


def test_a_root_that_moved_finds_its_destination(manifest: Manifest, photos: Path) -> None:
    moved = photos.rename(photos.parent / "renamed")
    target = target_of(manifest, moved)
    assert target.url == str(photos.parent / "nas")
    assert [one.path for one in target.roots] == [str(moved)]
    assert f"{photos} is {moved} now" in target.notices[0]
    inside = target_of(manifest, moved / "2024")
    assert inside.subtrees == (Subtree(str(moved), "", "2024/"),)


def test_other_folders_do_not_go_to_the_local_store_silently(
    manifest: Manifest, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(UsageError, match="no destination yet") as refused:
        target_of(manifest, tmp_path / "new")
    assert refused.value.hint is not None
    assert f"--to {tmp_path}/nas" in refused.value.hint


def test_without_any_destination_there_is_the_local_store(
    manifest: Manifest, tmp_path: Path
) -> None:
    target = target_of(manifest, tmp_path)
    assert target.is_first_use_of_default


def test_a_destination_among_the_sources_is_refused(
    manifest: Manifest, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "nas").mkdir()
    with pytest.raises(UsageError, match="is a destination") as refused:
        target_of(manifest, photos, tmp_path / "nas")
    assert refused.value.hint == f"bulkup push {photos} --to {tmp_path}/nas"
    with pytest.raises(UsageError, match="s3://b/x is a destination"):
        require_paths(["photos", "s3://b/x"])


def test_a_last_path_that_is_not_there_may_be_meant_as_the_destination(photos: Path) -> None:
    with pytest.raises(UsageError, match="nas: No such file") as refused:
        require_paths([str(photos), "nas"])
    assert f"bulkup push {photos} --to nas" in str(refused.value.hint)
    require_paths([str(photos), "nas"], has_destination=True)
    require_paths(["nas"])


@pytest.mark.parametrize("inside", ["", "/backup", "/../photos/./b"])
def test_a_destination_in_the_source_is_refused(
    manifest: Manifest, photos: Path, inside: str
) -> None:
    with pytest.raises(UsageError, match="lies in the source"):
        target_of(manifest, photos, to=f"{photos}{inside}")
    assert target_of(manifest, photos, to=f"{photos}-backup").url == f"{photos}-backup"

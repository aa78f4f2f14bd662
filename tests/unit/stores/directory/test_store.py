"""What a directory store does beyond the contract: files to look at, and their trouble."""

from __future__ import annotations

import errno
import os
import threading
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.clock import SystemClock
from bulkup.errors import (
    BucketMissing,
    KeyTaken,
    ObjectMissing,
    StoreError,
    StoreFull,
    StoreRefused,
)
from bulkup.model import Attributes, Part
from bulkup.stores.directory import files
from bulkup.stores.directory.files import Files, store_error
from bulkup.stores.directory.store import DirectoryStore


@pytest.fixture
async def store(tmp_path):
    store = DirectoryStore(str(tmp_path / "store"), clock=SystemClock())
    await store.check()
    return store


async def put(store, key, body=b"x", exclusive=True, **metadata):
    await store.put(
        key, body, digest=sha256(body).hexdigest(), attributes=Attributes(metadata=metadata),
        exclusive=exclusive,
    )  # fmt: skip


def leftovers(store):
    return [name for _, _, names in os.walk(f"{store.url}/.bulkup") for name in names]


async def test_mtime_becomes_the_files(store):
    """To the nanosecond, without going through a float."""
    await put(store, "a/b.jpg", mtime="1700000000.123456789")
    assert os.stat(f"{store.url}/a/b.jpg").st_mtime_ns == 1_700_000_000_123_456_789
    for nonsense in ("soon", "1e40", "nan", ""):
        await put(store, f"k{nonsense}", mtime=nonsense)


async def test_an_edited_file_has_no_known_digest(store):
    """The record says for which size and time it holds."""
    await put(store, "k", mtime="1700000000")
    assert (await store.head("k")).digest is not None
    with open(f"{store.url}/k", "ab") as file:  # noqa: ASYNC230 (nothing else runs)
        file.write(b"edited")
    assert (await store.head("k")).digest is None


async def test_a_sync_does_not_hold_up_the_event_loop(store, monkeypatch):
    """Of a small body neither: a slow disk would stop every other task, the heartbeat too."""
    threads = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (threads.append(threading.get_ident()), sync(fd)))
    await put(store, "k")
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


@pytest.mark.parametrize("exclusive", [True, False])
async def test_a_key_below_an_object_is_taken(store, exclusive):
    """A file cannot be a folder too, nor a folder a file."""
    await put(store, "a/b")
    with pytest.raises(KeyTaken):
        await put(store, "a/b/c", exclusive=exclusive)
    with pytest.raises(KeyTaken):
        await put(store, "a", exclusive=exclusive)
    with pytest.raises(ObjectMissing):
        await store.head("a")
    with pytest.raises(ObjectMissing):
        await store.head("a/b/c")
    assert leftovers(store) == []


@pytest.mark.parametrize(
    "key", ["../x", "/x", "a//b", "a/", "x" * 256, "a\0b", ".bulkup/tmp/x", ".bulkup/parts/y"]
)
async def test_keys_that_are_no_files_are_refused(store, key):
    """Nothing is written outside, and nothing where bulkup keeps its own."""
    for call in (put(store, key), store.head(key), store.delete(key)):
        with pytest.raises(StoreRefused):
            await call
    assert os.listdir(os.path.dirname(store.url)) == ["store"]


async def test_variants_are_listed_and_our_own_folders_are_not(store):
    """`.bulkup/thumb/` holds objects; `.bulkup/tmp/` and `.bulkup/parts/` do not."""
    await put(store, ".bulkup/thumb/ab/x.webp")
    upload = await store.begin_parts("k", digest=None, attributes=Attributes())
    await store.put_part("k", upload, 1, b"x", digest=sha256(b"x").hexdigest())
    listed = [info.key async for page in store.list() for info in page]
    assert listed == [".bulkup/thumb/ab/x.webp"]


async def test_missing_folder_above(tmp_path):
    """An unmounted disk is not created again."""
    with pytest.raises(BucketMissing):
        await DirectoryStore(str(tmp_path / "a" / "b"), clock=SystemClock()).check()
    assert os.listdir(tmp_path) == []


async def test_a_directory_that_held_objects_is_not_made_again(tmp_path):
    """Neither where it is gone nor where it is empty, as a mount point without its disk is."""
    path = tmp_path / "store"
    store = DirectoryStore(str(path), clock=SystemClock(), holds_objects=True)
    with pytest.raises(BucketMissing, match="was there before and is gone; is it mounted"):
        await store.check()
    assert not path.exists()
    path.mkdir()
    with pytest.raises(BucketMissing, match="is empty; is it mounted"):
        await store.check()
    assert list(path.iterdir()) == []
    (path / ".bulkup").mkdir()
    await store.check()


async def test_a_directory_that_goes_while_it_is_used_is_not_made_again(store, tmp_path):
    """The run rides the trouble out, until the disk is back."""
    (tmp_path / "store").rename(tmp_path / "unmounted")
    with pytest.raises(BucketMissing):
        await store.check()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("mount_point_stays", [True, False])
async def test_nothing_is_written_below_the_bare_mount_point_of_a_disk(
    store, tmp_path, mount_point_stays
):
    """Whatever writes: objects, copies and parts; and nothing is called missing."""
    await put(store, "a/k")
    upload = await store.begin_parts("large", digest=None, attributes=Attributes())
    (tmp_path / "store").rename(tmp_path / "unmounted")
    if mount_point_stays:
        (tmp_path / "store").mkdir()
    part = sha256(b"x").hexdigest()
    for call in (
        put(store, "b/k"),
        put(store, "b/k", exclusive=False),
        store.copy("a/k", "c/k", size_bytes=1, exclusive=True),
        store.begin_parts("other", digest=None, attributes=Attributes()),
        store.put_part("large", upload, 1, b"x", digest=part),
        store.complete_parts("large", upload, [Part(1, 1, part, part)], exclusive=True),
        store.list_parts("large", upload),
        store.head("a/k"),
        store.check(),
    ):
        with pytest.raises(BucketMissing):
            await call
    with pytest.raises(BucketMissing):
        [page async for page in store.list()]
    assert (tmp_path / "store").exists() == mount_point_stays
    assert leftovers(store) == []
    if mount_point_stays:
        (tmp_path / "store").rmdir()
    (tmp_path / "unmounted").rename(tmp_path / "store")
    await store.check()
    await put(store, "b/k")


async def test_another_directory_in_the_place_of_the_first_is_not_written_to(store, tmp_path):
    """Not even where it has folders of a destination."""
    (tmp_path / "store").rename(tmp_path / "unmounted")
    (tmp_path / "store/.bulkup/tmp").mkdir(parents=True)
    with pytest.raises(BucketMissing):
        await put(store, "a/k")
    assert leftovers(store) == []


@pytest.mark.parametrize("linked", [".bulkup/tmp", ".bulkup"])
async def test_what_removes_files_follows_no_links(store, tmp_path, linked):
    """Nor does it take what bulkup did not name."""
    await put(store, "k")
    for name in ("token-1", "album.jpg"):
        (tmp_path / "store/.bulkup/tmp" / name).touch()
    [(path, _)] = await store.leftovers(before=2**40)
    assert os.path.basename(path) == "token-1"
    (tmp_path / "store" / linked).rename(tmp_path / "elsewhere")
    (tmp_path / "store" / linked).symlink_to(tmp_path / "elsewhere")
    assert await store.leftovers(before=2**40) == []
    with pytest.raises(StoreError):
        await store.remove_leftover(path)
    kept = [name for _, _, names in os.walk(tmp_path / "elsewhere") for name in names]
    assert sorted(kept) == ["album.jpg", "token-1"]


async def test_an_upload_behind_a_link_is_not_removed(store, tmp_path):
    upload = await store.begin_parts("k", digest=None, attributes=Attributes())
    (tmp_path / "store/.bulkup/parts").rename(tmp_path / "elsewhere")
    (tmp_path / "store/.bulkup/parts").symlink_to(tmp_path / "elsewhere")
    await store.abort_parts("k", upload)
    assert (tmp_path / "elsewhere" / upload / "upload.json").exists()


@pytest.mark.parametrize("target", ["nothing", "store/k"])
async def test_a_link_to_nothing_or_to_itself_is_a_taken_key(store, tmp_path, target):
    (tmp_path / "store/k").symlink_to(tmp_path / target)
    await put(store, "other")
    for key in ("k", "k/below"):
        with pytest.raises(KeyTaken):
            await put(store, key)
        with pytest.raises(ObjectMissing):
            await store.head(key)
    assert [info.key async for page in store.list() for info in page] == ["other"]


async def test_without_hard_links(store, monkeypatch):
    """Exclusive writes work where links do not (exFAT)."""

    def no_links(source, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(files.os, "link", no_links)
    await put(store, "a/k", b"first")
    with pytest.raises(KeyTaken):
        await put(store, "a/k", b"second")
    assert b"".join([chunk async for chunk in store.open("a/k")]) == b"first"
    assert leftovers(store) == []


async def test_a_full_disk(store, monkeypatch):
    """StoreFull, and nothing is left behind."""

    def full(fd, body):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "write", full)
        for body in (b"x", bytes(300_000)):
            with pytest.raises(StoreFull):
                await put(store, "k", body)
    assert leftovers(store) == []
    with pytest.raises(ObjectMissing):
        await store.head("k")


async def test_delete_takes_empty_folders_along(store):
    """But not those that hold something, nor the store itself."""
    await put(store, "a/b/c/d")
    await put(store, "a/e")
    await store.delete("a/b/c/d")
    assert os.listdir(f"{store.url}/a") == ["e"]
    await store.delete("a/e")
    assert os.listdir(store.url) == [".bulkup"]


names = st.text(st.sampled_from("ab-./0é😀"), min_size=1, max_size=8)


@given(st.lists(names, max_size=12))
def test_listing_order_is_that_of_the_keys_bytes(tmp_path_factory, keys):
    """Whatever folders the keys make."""
    root = str(tmp_path_factory.mktemp("store"))
    store = Files(root, token="t", durable=False)
    stored = set()
    for key in keys:
        try:
            store.write(key, b"", None, Attributes(), exclusive=True)
        except (StoreRefused, OSError):
            continue
        stored.add(key)
    assert [info.key for info in store.walk("")] == sorted(stored, key=str.encode)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, None])
def test_unknown_trouble_is_the_stores(number):
    """It may pass, so that another try is right."""
    assert type(store_error(OSError(number, "x"), "k")).__name__ == "StoreBroken"

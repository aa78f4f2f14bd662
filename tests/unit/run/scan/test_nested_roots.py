"""Roots that lie in other roots of the same push: every file counts once."""

from __future__ import annotations

import zipfile
from pathlib import Path
from random import Random

import pytest

from bulkup.events import Summary
from bulkup.manifest.manifest import Manifest
from bulkup.model import Stage
from bulkup.operations.push import Push, PushRun
from bulkup.run.context import new_context
from bulkup.walk.filters import Selection
from tests.e2e.trees import make_tree, objects_in
from tests.fakes.clock import FakeClock
from tests.faults.pushing import push_options


class Pusher:
    """Pushes roots below one folder to `store` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __call__(
        self, *roots: str, exclude: tuple[str, ...] = (), to: str | None = "store"
    ) -> Summary:
        push = Push(
            roots=tuple(str(self.folder / root) for root in roots),
            **push_options(
                {"selection": Selection(exclude=exclude), "stages": (Stage.UPLOAD,)},
                to=None if to is None else str(self.folder / to),
                default_to=str(self.folder / "default"),
            ),
        )
        with Manifest(str(self.folder / "manifest.db")) as manifest:
            context = new_context(
                manifest,
                clock=FakeClock(),
                random=Random(1),
                emit=lambda _: None,
                environ={},
                wants_files=False,
            )
            return await PushRun(push, context).run()

    def objects(self) -> dict[str, bytes]:
        return objects_in(self.folder / "store")


@pytest.fixture
def push(tmp_path: Path) -> Pusher:
    make_tree(
        tmp_path / "a",
        {
            "1.jpg": b"1",
            "b/2.jpg": b"22",
            "b/c/3.jpg": b"333",
            ".hidden/4.jpg": b"4444",
            "drafts/5.jpg": b"55555",
        },
    )
    return Pusher(tmp_path)


@pytest.mark.parametrize(
    "roots",
    [("a", "a/b"), ("a/b", "a"), ("a", "a/b", "a/b/c"), ("a", "a/b/2.jpg"), ("a/1.jpg", "a")],
)
async def test_a_file_counts_once_whatever_the_order(push: Pusher, roots: tuple[str, ...]) -> None:
    summary = await push(*roots)
    assert (summary.files, summary.sent, summary.duplicates) == (4, 4, 0)
    assert summary.duplicate_bytes == 0
    assert set(push.objects()) == {"1.jpg", "b/2.jpg", "b/c/3.jpg", "drafts/5.jpg"}


async def test_a_hidden_or_excluded_root_is_pushed_since_it_was_named(push: Pusher) -> None:
    summary = await push("a", "a/.hidden", "a/drafts", exclude=("/drafts/",))
    assert (summary.files, summary.sent, summary.duplicates) == (5, 5, 0)
    assert b"4444" in push.objects().values()
    assert b"55555" in push.objects().values()


async def test_what_an_excluded_root_holds_counts_once_as_well(push: Pusher) -> None:
    make_tree(push.folder / "a", {".hidden/below/6.jpg": b"666666"})
    summary = await push("a", "a/.hidden", "a/.hidden/below")
    assert (summary.files, summary.sent, summary.duplicates) == (6, 6, 0)


async def test_an_archive_that_is_named_beside_its_folder_counts_once(push: Pusher) -> None:
    with zipfile.ZipFile(push.folder / "a/z.zip", "w") as archive:
        archive.writestr("m.jpg", b"member")
    summary = await push("a", "a/z.zip")
    assert (summary.files, summary.sent, summary.duplicates) == (5, 5, 0)


async def test_a_link_to_a_folder_of_another_root_counts_once(push: Pusher) -> None:
    (push.folder / "link").symlink_to(push.folder / "a/b")
    summary = await push("a", "link")
    assert (summary.files, summary.sent, summary.duplicates) == (4, 4, 0)


async def test_the_next_push_finds_nothing_changed(push: Pusher) -> None:
    await push("a", "a/b")
    summary = await push("a", "a/b")
    assert (summary.files, summary.unchanged, summary.gone) == (4, 4, 0)
    (push.folder / "a/b/2.jpg").unlink()
    summary = await push("a", "a/b")
    assert (summary.files, summary.gone) == (3, 1)


async def test_a_root_that_was_pushed_alone_before_loses_no_file(push: Pusher) -> None:
    await push("a/b")
    summary = await push("a", "a/b")
    assert (summary.files, summary.gone) == (4, 0)


async def test_true_duplicates_in_a_nested_root_are_still_saved(push: Pusher) -> None:
    make_tree(push.folder / "a", {"b/again.jpg": b"1"})
    summary = await push("a", "a/b")
    assert (summary.files, summary.sent, summary.duplicates) == (5, 4, 1)
    assert summary.duplicate_bytes == 1


@pytest.mark.parametrize("root", ["a/.hidden", "a/drafts", "a/.hidden/deep"])
async def test_a_folder_of_a_known_root_is_pushed_since_it_was_named(
    push: Pusher, root: str
) -> None:
    """Under the keys of the known root, whatever its push left out."""
    make_tree(push.folder / "a", {".hidden/deep/6.jpg": b"666666", ".bulkupignore": b"drafts/\n"})
    await push("a")
    before = set(push.objects())
    summary = await push(root, to=None)
    new = set(push.objects()) - before
    assert summary.sent == len(new) > 0
    assert all(key.startswith(root.removeprefix("a/")) for key in new)

"""`watch`: files that come slowly, move, are replaced, and cards that are pulled out."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import PROGRAM, Bulkup
from tests.e2e.trees import access, digest, make_tree, objects_in, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3

pytestmark = pytest.mark.usefixtures("uploads_only")

LIMIT_SECONDS = 60
ARGS = ("--to", "out", "--rest", "1s", "--json")


def until(is_true: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.05)


def stored(out: Path) -> list[str]:
    """The digests of all objects."""
    if not out.is_dir():
        return []
    objects = objects_in(out)
    return sorted(digest(body) for key, body in objects.items() if not key.startswith(".bulkup/"))


def digests(*numbers: int) -> list[str]:
    return sorted(digest(picture(n)) for n in numbers)


def test_five_hundred_files_come_slowly_move_and_are_replaced(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """Each content is stored once, and no half of any."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    make_tree(photos, {"0.jpg": picture(0)})
    watch = bulkup.start("watch", "photos", *ARGS)
    until(lambda: stored(out) == digests(0))
    with ExitStack() as open_files:
        slow = {}
        for n in range(1, 500):
            path = photos / f"{n // 100}" / f"{n}.jpg"
            path.parent.mkdir(exist_ok=True)
            if n % 10:
                path.write_bytes(picture(n))
            else:
                slow[n] = open_files.enter_context(path.open("wb"))
                slow[n].write(picture(n)[:1000])
                slow[n].flush()
        until(lambda: len(stored(out)) == 500 - len(slow))
        assert stored(out) == digests(*(n for n in range(500) if n == 0 or n % 10))
        for n, file in slow.items():
            file.write(picture(n)[1000:])
    until(lambda: stored(out) == digests(*range(500)))
    (photos / "1").rename(photos / "moved")
    (photos / "new.jpg").write_bytes(picture(500))
    os.replace(photos / "new.jpg", photos / "2" / "200.jpg")
    until(lambda: stored(out) == digests(*range(501)))
    watch.send_signal(signal.SIGTERM)
    events = bulkup.finish(watch, check=143).lines()
    assert (events[-1]["event"], events[-1]["command"]) == ("summary", "watch")
    assert events[-1]["sent"] == 501
    files = {file["path"]: file for file in bulkup("files", "--json").json()}
    assert str(photos / "moved" / "150.jpg") in files
    missing = bulkup("status", "--json").json()["assets"]["missing"]
    assert missing == 100  # those of the folder under its former name
    assert bulkup("push", "photos", "--json").lines()[-1]["sent"] == 0


@pytest.mark.parametrize("is_removed", [False, True], ids=["renamed away", "removed"])
def test_a_card_that_is_pulled_out_loses_nothing(
    bulkup: Bulkup, tmp_path: Path, *, is_removed: bool
) -> None:
    out, card = tmp_path / "out", tmp_path / "card"
    watch = bulkup.start("watch", "card", *ARGS)
    staged = make_tree(tmp_path / "staged", {f"DCIM/{n}.jpg": picture(n) for n in range(20)})
    staged.rename(card)
    until(lambda: stored(out) == digests(*range(20)))
    (card / "DCIM" / "half.jpg").write_bytes(picture(20)[:1000])
    if is_removed:
        for path in (card / "DCIM").iterdir():
            path.unlink()
        (card / "DCIM").rmdir()
        card.rmdir()
    else:
        card.rename(tmp_path / "elsewhere")
    make_tree(tmp_path / "next", {"DCIM/20.jpg": picture(20)}).rename(card)  # another card
    until(lambda: stored(out) == digests(*range(21)))
    watch.send_signal(signal.SIGINT)
    bulkup.finish(watch, check=130)
    assert stored(out) == digests(*range(21))


def test_an_unplugged_card_counts_as_nothing_deleted(bulkup: Bulkup, tmp_path: Path) -> None:
    out, card = tmp_path / "out", tmp_path / "card"
    make_tree(card, {f"{n}.jpg": picture(n) for n in range(3)})
    watch = bulkup.start("watch", "card", *ARGS)
    until(lambda: stored(out) == digests(0, 1, 2))
    card.rename(tmp_path / "elsewhere")
    assert watch.stdout is not None
    while '"absent"' not in watch.stdout.readline():
        assert watch.poll() is None
    watch.send_signal(signal.SIGTERM)
    bulkup.finish(watch, check=143)
    assert bulkup("status", "--json").json()["assets"]["missing"] == 0


def test_a_destination_that_answers_again_is_noticed(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    s3 = fake_s3(faults=[Fault(op="PutObject", after=0, times=2, does="refuse", status=403)])
    make_tree(tmp_path / "photos", {"0.jpg": picture(0)})
    watch = bulkup.start(
        *("watch", "photos", "--to", "s3://bucket/p", "--rest", "1s", "--json"),
        env=access(s3.url),
    )
    until(lambda: set(s3.digests.values()) == {digest(picture(0))})
    watch.send_signal(signal.SIGTERM)
    bulkup.finish(watch, check=143)


def test_polling_finds_what_comes(bulkup: Bulkup, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_tree(tmp_path / "nas", {"0.jpg": picture(0)})
    watch = bulkup.start("watch", "nas", *ARGS, "--poll", "1s")
    until(lambda: stored(out) == digests(0))
    make_tree(tmp_path / "nas", {"sub/1.jpg": picture(1)})
    until(lambda: stored(out) == digests(0, 1))
    watch.send_signal(signal.SIGTERM)
    events = bulkup.finish(watch, check=143).lines()
    assert [one["state"] for one in events if one["event"] == "root_watched"] == ["polled"]


def test_a_file_is_refused(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path, {"a.jpg": picture(0)})
    ended = bulkup("watch", "a.jpg", *ARGS, check=2)
    assert "a.jpg is no folder" in ended.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("photso", "photso does not exist yet: watch waits for it (did you mean"),
        ("none/card", "card does not exist yet: watch waits for it ("),
        ("CARD", "CARD does not exist yet: watch waits for it\n"),
    ],
)
def test_a_folder_that_is_not_there_is_told_even_in_quiet(
    bulkup: Bulkup, tmp_path: Path, name: str, said: str
) -> None:
    """It may be a card, or mistyped."""
    (tmp_path / "photos").mkdir()
    watch = bulkup.start("watch", name, "--to", "out", "--quiet")
    assert watch.stderr is not None
    line = watch.stderr.readline()
    watch.send_signal(signal.SIGTERM)
    watch.communicate()
    assert said in line


def _can_mount() -> bool:
    try:
        command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not _can_mount(), reason="needs root on Linux, and unshare")
@pytest.mark.parametrize(("mount_point", "code"), [("photos/card", 0), ("photos", 4)])
def test_what_was_on_a_file_system_that_is_unmounted_is_not_deleted(
    bulkup: Bulkup, tmp_path: Path, mount_point: str, code: int
) -> None:
    (tmp_path / "photos" / "card").mkdir(parents=True)
    script = f"""
        set -e
        mount -t tmpfs none {mount_point}
        mkdir -p photos/card
        printf one > photos/card/1.jpg
        {PROGRAM} push photos --to out
        umount {mount_point}
        test {mount_point} = photos || printf two > photos/2.jpg
        test {mount_point} != photos || rmdir photos/card
        {PROGRAM} push photos || test $? = {code}
    """
    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        cwd=tmp_path,
        env=bulkup.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert bulkup("status", "--json").json()["assets"]["missing"] == 0

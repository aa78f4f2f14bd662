"""A laptop that is lost after a push with interruptions: restore and pull give the tree back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.places import BucketPlace, DirectoryPlace, Place
from tests.e2e.test_pull import tree
from tests.e2e.trees import digest, make_tree, picture
from tests.servers.endpoint import Endpoint
from tests.unit.content.tars import make_tar

pytestmark = pytest.mark.usefixtures("uploads_only")

KILLS = 5
ENV = {"BULKUP_PART_THRESHOLD": "5MiB", "BULKUP_PART_SIZE": "5MiB", "BULKUP_MANIFEST_BACKUP": "1ms"}
ODD = (
    *("-dash.jpg", "ü + ~%#&.jpg", "new\nline.jpg", "e\u0301.jpg", "\u00e9.jpg", "🏔.jpg"),
    "a" * 250 + ".jpg",
)


@pytest.fixture(params=["directory", pytest.param("ceph", marks=pytest.mark.ceph)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "directory":
        return DirectoryPlace(tmp_path / "store")
    endpoint: Endpoint = request.getfixturevalue("ceph")
    return BucketPlace(endpoint, endpoint.make_bucket())


def make_photos(root: Path) -> dict[str, str]:
    """A tree as people have them; the digests of the members of its archives."""
    files = {f"{n // 20}/{n}.jpg": picture(n % 100) for n in range(150)}  # a third: duplicates
    files |= {f"odd/{name}": picture(name) for name in ODD}
    files |= {f"empty/{n}.jpg": b"" for n in range(3)}
    files |= {"large.jpg": picture("l", 12 << 20)}
    make_tree(root, files)
    (root / os.fsdecode(b"latin-\xe9.jpg")).write_bytes(picture("latin"))
    for number, path in enumerate(sorted(root.rglob("*.jpg"))):
        moment = 1_500_000_000_123_456_789 + number * 1_000_000_007
        os.utime(path, ns=(moment, moment))
    with zipfile.ZipFile(root / "old.zip", "w") as archive:
        archive.writestr("in/z.jpg", picture("z"))
    make_tar(root / "older.tgz", ("in/t.jpg", picture("t")))
    return {"old.zip#in/z.jpg": digest(picture("z")), "older.tgz#in/t.jpg": digest(picture("t"))}


def kill_some(start: Callable[[], subprocess.Popen[str]], done: Callable[[], int]) -> None:
    """Start it again and again, and kill it each time when it has done some more."""
    for _ in range(KILLS):
        before = done()
        process = start()
        deadline = time.monotonic() + 60
        while done() < before + 10 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("layout", ["path", "content", "{taken:%Y}/{folder}/{name}"])
def test_push_and_pull_with_kills_in_between(
    bulkup: Bulkup, place: Place, tmp_path: Path, layout: str
) -> None:
    if layout.startswith("{") and isinstance(place, BucketPlace):
        pytest.skip("the layouts of the specification are enough there")
    root, back = tmp_path / "photos", tmp_path / "back"
    members = make_photos(root)
    before = {
        path: file for path, file in tree(root).items() if not path.endswith((b"zip", b"tgz"))
    }
    env = {**place.env, **ENV}
    push = ("push", str(root), "--to", place.url, "--layout", layout)
    kill_some(lambda: bulkup.start(*push, env=env), lambda: len(place.objects()))
    bulkup(*push, env=env)
    shutil.rmtree(root)
    shutil.rmtree(bulkup.home)

    bulkup("restore", "--from", place.url, env=env)
    kill_some(
        lambda: bulkup.start("pull", "--into", str(back), env=env),
        lambda: sum(len(names) for _, _, names in os.walk(back)),
    )
    bulkup("pull", "--into", back, env=env)
    found = tree(back)
    of_members = {os.fsdecode(path): file[0] for path, file in found.items() if b"#in/" in path}
    assert of_members == members
    assert {path: file for path, file in found.items() if b"#in/" not in path} == before

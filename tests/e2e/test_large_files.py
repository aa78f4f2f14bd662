"""Many files of some MiB: their bytes lie in memory that is used again and again, and every object
holds those of its own file, whatever happens to the requests."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import access, digest, make_tree, objects_in, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3

pytestmark = pytest.mark.usefixtures("uploads_only")

FILES = 300  # three times as much as the memory holds
MIB = 1 << 20


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of 1 to 3 MiB; no two of them have the same bytes at the same place."""
    noise, random = picture("noise", 4 * MIB), Random(1)
    sizes = [random.randint(MIB, 3 * MIB) for _ in range(FILES)]
    return make_tree(
        tmp_path_factory.mktemp("large") / "photos",
        {f"{n}.jpg": b"%d" % n + noise[n * 1000 : n * 1000 + size] for n, size in enumerate(sizes)},
    )


def digests(photos: Path) -> dict[str, str]:
    return {path.name: digest(path.read_bytes()) for path in photos.iterdir()}


def stored(s3: FakeS3) -> dict[str, str | None]:
    return {path.rpartition("/")[2]: found for path, found in s3.digests.items()}


def test_every_object_has_the_bytes_of_its_file(
    bulkup: Bulkup, photos: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Whether requests are dropped on their way, refused before or after their body was read, or
    done without an answer: some of their bodies are still being sent, others are sent again."""
    put = {"op": "PutObject", "times": 8}
    s3 = fake_s3(
        faults=[
            Fault(**put, after=10, does="reset"),
            Fault(**put, after=30, status=500),
            Fault(**put, after=60, status=500, early=True),
            Fault(**put, after=90, does="lose"),
            Fault(**put, after=120, status=400),  # these fail for good
            Fault(**put, after=150, does="reset"),
            Fault(**put, after=180, status=500, early=True),
            Fault(**put, after=200, does="delay", delay_seconds=0.5),
        ]
    )
    to = ("--to", "s3://bucket/p", "--concurrency", "16")
    bulkup("push", photos, *to, env=access(s3.url), check=3)
    bulkup("retry", "--failed", env=access(s3.url))
    bulkup("push", photos, *to, env=access(s3.url), check=0)
    assert stored(s3) == digests(photos)


def test_an_interrupt_while_bodies_are_held_leaves_nothing_wrong(
    bulkup: Bulkup, photos: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    s3 = fake_s3(faults=[Fault(op="PutObject", after=150, times=None, does="hold")])
    to = ("--to", "s3://bucket/p", "--concurrency", "8")
    push = bulkup.start("push", photos, *to, env=access(s3.url))
    s3.wait_for("PutObject", 155)
    push.send_signal(signal.SIGINT)
    bulkup.finish(push, check=130)
    s3.script()
    s3.release()
    bulkup("push", photos, *to, env=access(s3.url), check=0)
    assert stored(s3) == digests(photos)


def test_a_directory_gets_the_same_bytes(bulkup: Bulkup, photos: Path, tmp_path: Path) -> None:
    """It writes them in threads."""
    bulkup("push", photos, "--to", tmp_path / "to", check=0)
    found = {key: digest(body) for key, body in objects_in(tmp_path / "to").items()}
    assert found == digests(photos)

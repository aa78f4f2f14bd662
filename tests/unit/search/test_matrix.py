"""The derived matrix: equal to the manifest's rows whatever became of its file."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkup.search import matrix, matrix_file
from bulkup.search.matrix import (
    Matrix,
    MatrixRow,
    from_classes,
    from_float16,
    from_vectors_and_classes,
    open_matrix,
)
from bulkup.search.matrix_file import Stamp

DIMENSION = 16


def unit(seed: int) -> bytes:
    vector = np.random.default_rng(seed).standard_normal(DIMENSION)
    return (vector / np.linalg.norm(vector)).astype("<f2").tobytes()


@dataclass
class Manifest:
    """Rows as SQLite would hold them, and what is asked of them."""

    rows: dict[int, MatrixRow] = field(default_factory=dict)
    generation: int = 0
    next_id: int = 1
    asked: list[int] = field(default_factory=list)  # the `after` of each reading

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.rows[self.next_id] = MatrixRow(
                self.next_id, 1000 + self.next_id, unit(self.next_id)
            )
            self.next_id += 1

    def remove(self, row_id: int) -> None:
        del self.rows[row_id]
        self.generation += 1

    def stamp(self) -> Stamp:
        return Stamp("m1/lite0/1", self.generation, max(self.rows, default=0), len(self.rows))

    def read(self, after: int) -> Iterator[MatrixRow]:
        self.asked.append(after)
        return iter([row for row_id, row in sorted(self.rows.items()) if row_id > after])

    def truth(self) -> dict[int, list[float]]:
        return {
            row.content_id: np.frombuffer(row.blob, "<f2").astype(np.float32).tolist()
            for row in self.rows.values()
        }


@pytest.fixture
def manifest() -> Manifest:
    made = Manifest()
    made.add(20)
    return made


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "manifest.db-vectors")


def opened(path: str, manifest: Manifest, stamp: Stamp | None = None) -> Matrix:
    manifest.asked.clear()
    return open_matrix(
        path,
        stamp=stamp or manifest.stamp(),
        dimension=DIMENSION,
        rows=manifest.read,
        decode=from_float16(DIMENSION),
    )


def held(found: Matrix) -> dict[int, list[float]]:
    vectors = found.rows(np.arange(len(found)))
    return dict(zip(found.contents.tolist(), vectors.tolist(), strict=True))


def test_holds_what_the_manifest_has(path: str, manifest: Manifest) -> None:
    assert held(opened(path, manifest)) == manifest.truth()


def test_a_second_opening_reads_no_row_again(path: str, manifest: Manifest) -> None:
    opened(path, manifest)
    assert held(opened(path, manifest)) == manifest.truth()
    assert manifest.asked == [20]


def test_new_rows_are_read_alone_and_the_file_is_left(path: str, manifest: Manifest) -> None:
    opened(path, manifest)
    before = os.stat(path).st_ino
    manifest.add(3)
    assert held(opened(path, manifest)) == manifest.truth()
    assert manifest.asked == [20]
    assert os.stat(path).st_ino == before


def test_many_new_rows_get_a_new_file(
    path: str, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, "_LEAST_TO_WRITE", 2)
    opened(path, manifest)
    manifest.add(3)
    assert held(opened(path, manifest)) == manifest.truth()
    assert manifest.asked == [20]
    assert held(opened(path, manifest)) == manifest.truth()
    assert manifest.asked == [23]


def test_a_row_that_went_makes_it_again(path: str, manifest: Manifest) -> None:
    opened(path, manifest)
    manifest.remove(7)
    assert held(opened(path, manifest)) == manifest.truth()
    assert manifest.asked == [0]


def test_a_row_that_went_is_noticed_though_its_generation_is_not(
    path: str, manifest: Manifest
) -> None:
    opened(path, manifest)
    del manifest.rows[7]
    manifest.add(1)
    assert held(opened(path, manifest)) == manifest.truth()


def test_a_changed_row_makes_it_again(path: str, manifest: Manifest) -> None:
    opened(path, manifest)
    manifest.rows[7] = manifest.rows[7]._replace(blob=unit(99))
    manifest.generation += 1
    assert held(opened(path, manifest)) == manifest.truth()


def test_the_rows_of_another_embedder_are_never_taken(path: str, manifest: Manifest) -> None:
    opened(path, manifest)
    other = Manifest()
    other.next_id = 1
    for seed in range(20):
        other.rows[seed + 1] = MatrixRow(seed + 1, seed, unit(500 + seed))
    found = opened(path, other, replace(other.stamp(), key="m1/clip/1"))
    assert held(found) == other.truth()


def test_rows_that_come_while_it_is_opened_wait(path: str, manifest: Manifest) -> None:
    stamp = manifest.stamp()
    expected = manifest.truth()
    manifest.add(2)
    assert held(opened(path, manifest, stamp)) == expected
    assert held(opened(path, manifest)) == manifest.truth()


def test_rows_that_go_while_it_is_opened_do_not_stop_it(path: str, manifest: Manifest) -> None:
    stamp = manifest.stamp()
    manifest.remove(3)
    assert held(opened(path, manifest, stamp)) == manifest.truth()
    assert held(opened(path, manifest)) == manifest.truth()


def test_no_rows_are_an_empty_matrix(path: str) -> None:
    found = opened(path, Manifest())
    assert len(found) == 0
    assert found.scores(np.zeros(DIMENSION, np.float32)).tolist() == []
    assert not os.path.exists(path)


def test_scores_are_those_of_each_row_in_file_and_memory(path: str, manifest: Manifest) -> None:
    opened(path, manifest)
    manifest.add(3)
    found = opened(path, manifest)
    query = np.frombuffer(unit(5), "<f2").astype(np.float32)
    scores = found.scores(query)
    assert scores.shape == (23,)
    assert int(np.argmax(scores)) == found.place(1005) == 4
    assert found.rows(np.array([22, 4])).tolist() == [
        manifest.truth()[1023],
        manifest.truth()[1005],
    ]
    assert found.place(1) is None


def test_blocks_are_all_rows_in_order(path: str, manifest: Manifest) -> None:
    opened(path, manifest)
    manifest.add(3)
    found = opened(path, manifest)
    blocks = list(found.blocks())
    assert [len(block) for block in blocks] == [20, 3]
    assert np.concatenate(blocks).tolist() == list(manifest.truth().values())


def test_classes_are_pairs_of_number_and_probability_filled_up_with_nothing() -> None:
    seen = []

    def to_rows(numbers: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        seen.append((numbers.tolist(), probabilities.tolist()))
        return probabilities

    pair = np.dtype([("number", "<u2"), ("probability", "<f2")])
    two = np.array([(281, 0.5), (999, 0.25)], pair).tobytes()
    four = np.array([(1, 0.5), (2, 0.25), (3, 0.125), (4, 0.0625)], pair).tobytes()
    assert from_classes(3, to_rows)([two, b"", four]).shape == (3, 3)
    assert seen == [
        (
            [[281, 999, 0], [0, 0, 0], [1, 2, 3]],
            [[0.5, 0.25, 0.0], [0.0, 0.0, 0.0], [0.5, 0.25, 0.125]],
        )
    ]


def test_a_vector_and_classes_lie_in_one_blob() -> None:
    seen = []

    def to_rows(numbers: np.ndarray, shares: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        seen.append((numbers.tolist(), shares.tolist(), vectors.tolist()))
        return vectors

    pair = np.dtype([("number", "<u2"), ("probability", "<f2")])
    one = np.array([0.5, -1.0], "<f2").tobytes() + np.array([(281, 0.5)], pair).tobytes()
    none = np.array([0.25, 2.0], "<f2").tobytes()
    decode = from_vectors_and_classes(2, 1, to_rows)
    assert decode([one, none]).dtype == np.float32
    assert seen == [([[281], [0]], [[0.5], [0.0]], [[0.5, -1.0], [0.25, 2.0]])]


def test_a_vector_of_another_length_is_a_bug_that_leaves_no_file(
    path: str, manifest: Manifest
) -> None:
    def short(blobs: Sequence[bytes]) -> np.ndarray:
        return np.zeros((len(blobs), 3), np.float32)

    with pytest.raises(ValueError, match="shape"):
        open_matrix(
            path, stamp=manifest.stamp(), dimension=DIMENSION, rows=manifest.read, decode=short
        )
    assert os.listdir(os.path.dirname(path)) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_file_cut_off_anywhere_is_made_again(path: str, data: st.DataObject) -> None:
    manifest = Manifest()
    manifest.add(20)
    opened(path, manifest)
    size = os.path.getsize(path)
    os.truncate(path, data.draw(st.integers(0, size - 1)))
    assert held(opened(path, manifest)) == manifest.truth()
    assert os.path.getsize(path) == size


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 20 * DIMENSION * 4 + 20 * 20 - 64), st.sampled_from([b"\0", b"\xff"]))
def test_lost_bytes_anywhere_behind_the_head_are_noticed(path: str, at: int, fill: bytes) -> None:
    manifest = Manifest()
    manifest.add(20)
    opened(path, manifest)
    with open(path, "r+b") as file:
        file.seek(4096 + at)
        file.write(fill * 64)
    assert held(opened(path, manifest)) == manifest.truth()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x" * 10_000,
        matrix_file.MAGIC,
        matrix_file.MAGIC + b"\xff" * 9000,
        b"SQLite format 3\0",
    ],
)
def test_a_foreign_file_is_made_again(path: str, manifest: Manifest, content: bytes) -> None:
    Path(path).write_bytes(content)
    assert held(opened(path, manifest)) == manifest.truth()
    opened(path, manifest)
    assert manifest.asked == [20]


def test_a_sound_head_of_other_fields_is_foreign(path: str, manifest: Manifest) -> None:
    opened(path, manifest)
    block = Path(path).read_bytes()
    for text in (b"{}", b"[]", b'{"key": 1, "colour": 2}', b"\xff"):
        import zlib

        head = matrix_file.MAGIC + len(text).to_bytes(4, "little")
        head += zlib.crc32(text).to_bytes(4, "little") + text
        Path(path).write_bytes(head.ljust(4096, b"\0") + block[4096:])
        assert held(opened(path, manifest)) == manifest.truth()


STEPS = ("mkstemp", "flock", "fill", "fsync", "replace")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("earlier", [False, True])
def test_a_stop_after_each_step_leaves_the_next_opening_right(
    path: str, manifest: Manifest, step: str, earlier: bool
) -> None:
    """A child is killed right after the step; what it left is opened here."""
    if earlier:
        opened(path, manifest)
        manifest.remove(4)  # so that a new file is due
    child = multiprocessing.get_context("fork").Process(
        target=_die_after, args=(step, path, manifest)
    )
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert held(opened(path, manifest)) == manifest.truth()
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]


def _die_after(step: str, path: str, manifest: Manifest) -> None:
    place, name = {
        "mkstemp": (matrix_file.tempfile, "mkstemp"),
        "flock": (matrix_file.fcntl, "flock"),
        "fill": (matrix_file, "_fill"),
        "fsync": (matrix_file.os, "fsync"),
        "replace": (matrix_file.Path, "replace"),
    }[step]
    real = getattr(place, name)

    def then_die(*args: object, **options: object) -> None:
        real(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(place, name, then_die)
    opened(path, manifest)


def test_kill_in_the_middle_of_writing(path: str, manifest: Manifest) -> None:
    """A process of its own, killed while its temporary file grows."""
    opened(path, manifest)
    script = f"""
import itertools, sys
import numpy as np
from bulkup.search.matrix import MatrixRow, Stamp, open_matrix
def rows(after):
    for at in itertools.count(1):
        if at == 20_000:
            print("writing", flush=True)
        yield MatrixRow(at, at, b"")
open_matrix({path!r}, stamp=Stamp("other", 1, 1 << 40, 1 << 40), dimension={DIMENSION}, rows=rows,
            decode=lambda blobs: np.zeros((len(blobs), {DIMENSION}), np.float32))
"""
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"writing\n"
        live = [name for name in os.listdir(os.path.dirname(path)) if name.endswith(".part")]
        manifest.remove(2)
        assert held(opened(path, manifest)) == manifest.truth()
        # The other one is alive and holds its lock: its file is not swept away.
        assert set(live) < set(os.listdir(os.path.dirname(path)))
        child.kill()
    manifest.remove(3)
    assert held(opened(path, manifest)) == manifest.truth()
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]


def test_many_processes_at_once_are_all_right(path: str, manifest: Manifest) -> None:
    context = multiprocessing.get_context("fork")
    children = [
        context.Process(target=_check_often, args=(path, manifest, seed)) for seed in range(4)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 4
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]


def _check_often(path: str, manifest: Manifest, seed: int) -> None:
    for round_ in range(30):  # each process has a manifest of its own mind, at one path
        manifest.generation = seed * 1000 + round_
        if held(opened(path, manifest)) != manifest.truth():
            os._exit(1)
    os._exit(0)


def test_a_mapped_matrix_survives_that_its_file_is_replaced(path: str, manifest: Manifest) -> None:
    opened(path, manifest)
    kept, truth = opened(path, manifest), manifest.truth()
    manifest.remove(5)
    opened(path, manifest)
    assert held(kept) == truth


def test_without_a_place_for_a_file_it_is_in_memory(tmp_path: Path, manifest: Manifest) -> None:
    path = str(tmp_path / "missing" / "vectors")
    assert held(opened(path, manifest)) == manifest.truth()
    assert not os.path.exists(path)


def test_in_a_read_only_directory_it_is_in_memory(tmp_path: Path, manifest: Manifest) -> None:
    """Also for root, whom a mode does not stop: `path` is a folder, which no rename replaces."""
    (tmp_path / "vectors").mkdir()
    assert held(opened(str(tmp_path / "vectors"), manifest)) == manifest.truth()
    assert os.listdir(tmp_path) == ["vectors"]


def test_on_a_full_disk_it_is_in_memory(manifest: Manifest, tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes write fail as a full disk does."""
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_check_limited, args=(str(tmp_path / "vectors"), manifest))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert os.listdir(tmp_path) == []


def _check_limited(path: str, manifest: Manifest) -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4200, 4200))
    os._exit(0 if held(opened(path, manifest)) == manifest.truth() else 1)


def test_only_its_owner_can_read_it(path: str, manifest: Manifest) -> None:
    opened(path, manifest)
    assert os.stat(path).st_mode & 0o777 == 0o600

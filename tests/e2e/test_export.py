"""bulkup export, as people run it."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import make_tree, picture
from tests.unit.content.picture.made import saved, scene

pytestmark = pytest.mark.usefixtures("uploads_only")


def test_export_names_every_file_exactly(bulkup: Bulkup, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"\xff\xd8\xff one")
    (photos / "same.jpg").write_bytes(b"\xff\xd8\xff one")
    odd = os.fsdecode(b"caf\xe9.jpg")
    (photos / odd).write_bytes(b"\xff\xd8\xff two")
    bulkup("push", photos, "--quiet")

    rows = bulkup("export").lines()
    assert [row["path"] for row in rows] == ["a.jpg", "same.jpg", odd]
    assert {row["root"] for row in rows} == {str(photos)}
    assert rows[0]["digest"] == rows[1]["digest"] == sha256(b"\xff\xd8\xff one").hexdigest()
    assert rows[0]["key"] == rows[1]["key"]
    assert {row["upload"] for row in rows} == {"done"}

    chosen = bulkup("export", "--format", "csv", "same.*").stdout.splitlines()
    assert len(chosen) == 2
    assert "same.jpg" in chosen[1]


def test_export_to_a_file_says_how_many(bulkup: Bulkup, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"\xff\xd8\xff one")
    bulkup("push", photos, "--quiet")
    ended = bulkup("export", "--format", "parquet", "--output", tmp_path / "a.parquet")
    assert ended.stdout == ""
    assert "Wrote 1 file to" in ended.stderr
    assert pq.read_table(tmp_path / "a.parquet")["path"].to_pylist() == ["a.jpg"]


def test_without_a_manifest_there_is_nothing_to_export(bulkup: Bulkup) -> None:
    assert bulkup("export", "--format", "jsonl").stdout == ""


def test_a_place_that_takes_no_file_is_a_wrong_usage(bulkup: Bulkup, tmp_path: Path) -> None:
    ended = bulkup("export", "--output", tmp_path / "no" / "a.jsonl", check=2)
    assert "--output" in ended.stderr
    assert json.dumps("Traceback")[1:-1] not in ended.stderr


def test_metadata_and_vectors_come_with_their_files(bulkup: Bulkup, tmp_path: Path) -> None:
    """Parquet and NPZ have the vectors unless told; the others when told."""
    body = saved(scene(400, 300))
    make_tree(tmp_path / "photos", {"a.jpg": body, "same.jpg": body, "b.jpg": saved(scene(90, 60))})
    bulkup("push", "photos", "--quiet", env={"BULKUP_STAGES": "upload,process,embed"})

    rows = bulkup("export").lines()
    assert [(row["path"], row["width_px"]) for row in rows] == [
        ("a.jpg", 400),
        ("b.jpg", 90),
        ("same.jpg", 400),
    ]
    assert {(row["format"], row["orientation"]) for row in rows} == {("JPEG", 1)}
    assert "vector" not in rows[0]
    (row,) = bulkup("export", "--vectors", "b.jpg").lines()
    assert sum(number**2 for number in row["vector"]) == pytest.approx(1, abs=0.01)
    assert row["embedder"].startswith("efficientnet-lite0 ")

    bulkup("export", "--format", "npz", "--output", "all.npz")
    with np.load(tmp_path / "all.npz", allow_pickle=False) as arrays:
        assert arrays["path"].tolist() == ["a.jpg", "b.jpg", "same.jpg"]
        assert set(arrays["digests"]) == set(arrays["digest"])
        assert arrays["vectors"].shape == (2, len(row["vector"]))
        at = arrays["digests"].tolist().index(row["digest"])
        assert arrays["vectors"][at].tolist() == row["vector"]
        assert arrays["embedder"] == row["embedder"]
    bulkup("export", "--format", "parquet", "--output", "all.parquet")
    table = pq.read_table(tmp_path / "all.parquet")
    assert table["vector"].to_pylist()[1] == row["vector"]
    bulkup("export", "--format", "parquet", "--no-vectors", "--output", "few.parquet")
    assert "vector" not in pq.read_table(tmp_path / "few.parquet").column_names


def test_an_export_never_replaces_a_picture(bulkup: Bulkup, tmp_path: Path) -> None:
    """As a swapped argument would; an older export, or any other text, is replaced."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--stages", "upload")
    refused = bulkup("export", "--output", root / "a.jpg", check=2)
    assert "is a file that bulkup did not write" in refused.stderr
    assert (root / "a.jpg").read_bytes() == picture(1)
    (tmp_path / "rows").write_text("old")
    for form in ("csv", "jsonl"):
        bulkup("export", "--format", form, "--output", "rows")
    assert json.loads((tmp_path / "rows").read_text())["path"] == "a.jpg"

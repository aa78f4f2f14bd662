"""bulkup export, as people run it."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import Bulkup

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

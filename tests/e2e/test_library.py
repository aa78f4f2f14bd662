"""The guide and the examples of the library, run as users would run them."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.docs.test_docs import painted
from tests.servers.endpoint import Endpoint

REPOSITORY = Path(__file__).parents[2]
GUIDE = (REPOSITORY / "docs" / "library.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos, one of them twice with other bytes, and a folder to push to."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "nas").mkdir()
    for number, word in enumerate(("Leuchtturm", "Segeln", "Berge", "Wanduhr")):
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(painted(word, number))
    (tmp_path / "photos" / "again.png").write_bytes(painted("Leuchtturm", 0, "png"))
    return tmp_path


def run(folder: Path, *words: object, **environ: str) -> str:
    """What a Python program prints; it must end well, and without a warning."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", *map(str, words)],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_guides_programs_run(folder: Path) -> None:
    outputs = [run(folder, "-c", block) for block in BLOCKS]
    assert len(outputs) == 3
    first = outputs[0].splitlines()
    assert first[0] == "5 uploaded, 0 duplicates"
    assert len(first) == 4
    assert all(re.match(r"\d+% /.*photos/", line) for line in first[1:])
    assert len(list((folder / "copies").rglob("*.jpg"))) == 4
    assert "upload: 0 of 0" in outputs[1], "nothing is left to do"


@pytest.mark.parametrize("in_bucket", [False, True], ids=["directory", "bucket"])
def test_the_data_set_is_built(folder: Path, s3: Endpoint, in_bucket: bool) -> None:
    to = f"s3://{s3.make_bucket()}/set" if in_bucket else "nas/set"
    environ = dict(s3.environment) if in_bucket else {}
    run(folder, "-c", f"import bulkup; bulkup.push('photos', to='{to}')", **environ)
    said = run(folder, REPOSITORY / "examples/dataset.py", "lighthouse", "set", **environ)
    assert said == "4 pictures in set\n"
    with (folder / "set/pictures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["digest"] for row in rows}) == 4, "one of the near-duplicates is left out"
    signed = ["X-Amz-Signature" in row["url"] or "Signature=" in row["url"] for row in rows]
    assert signed == [in_bucket] * 4
    vectors = np.load(folder / "set/vectors.npy")
    assert vectors.shape[0] == 4
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-2)
    assert (folder / "set/vectors.parquet").exists()
    with tarfile.open(folder / "set/shards/000000.tar") as shard:
        names = shard.getnames()
        about = json.loads(shard.extractfile(names[1]).read())  # type: ignore[union-attr]  # a file
    assert [Path(name).stem for name in names[::2]] == [row["digest"] for row in rows]
    assert about["path"] == rows[0]["path"]

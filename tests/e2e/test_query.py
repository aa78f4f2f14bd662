"""bulkup query: formats, parameters, exit codes; and the same questions by other tools."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import PROGRAM, Bulkup
from tests.e2e.pictures import photos

RECIPES = (Path(__file__).parents[2] / "docs" / "manifest.md").read_text("utf-8")


@pytest.fixture
def pushed(bulkup: Bulkup) -> Bulkup:
    """Three photos and one odd name, pushed."""
    folder = photos(bulkup.directory / "photos", 3)
    (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"\xff\xd8\xff\xe0 no picture")
    bulkup("push", "photos", "--to", "there", "--stages", "upload")
    return bulkup


def test_each_format(pushed: Bulkup) -> None:
    sql = "SELECT path, size_bytes, NULL AS none FROM files ORDER BY path DESC"
    table = pushed("query", sql).stdout.splitlines()
    assert table[0].split() == ["path", "size_bytes", "none"]
    assert [line.split()[0] for line in table[1:]] == [
        "caf\\xe9.jpg", "002.jpg", "001.jpg", "000.jpg",
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(pushed("query", sql, "--format", "csv").stdout)))
    assert rows[0]["path"] == "caf\\xe9.jpg"
    assert rows[1]["path"] == "002.jpg"
    assert rows[1]["none"] == ""
    found = pushed("query", sql, "--format", "json").json()
    assert found[0]["path"] == {"$base64": True, "encoded": "Y2Fm6S5qcGc="}
    assert found == pushed("query", sql, "--format", "jsonl").lines()
    assert found[1]["none"] is None


def test_columns_of_one_name_are_told_apart(bulkup: Bulkup) -> None:
    ended = bulkup("query", "SELECT 1 AS a, 2 AS a, 3 AS a, 9e999 AS b", "--format", "json")
    assert ended.json() == [{"a": 1, "a_2": 2, "a_3": 3, "b": None}]


def test_sql_from_standard_input_and_parameters(pushed: Bulkup) -> None:
    words = ["query", "-", "-p", "end", "2.jpg", "--param", "size", "0", "--format", "jsonl"]
    ended = subprocess.run(
        [PROGRAM, *words],
        input="SELECT path FROM files WHERE path LIKE '%' || :end AND size_bytes > :size",
        env=pushed.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ended.stdout) == {"path": "002.jpg"}


def test_exit_codes(bulkup: Bulkup) -> None:
    wrong = bulkup("query", "SELECT none FROM files", check=2)
    assert wrong.stdout == ""
    assert "no such column: none" in wrong.stderr
    bulkup("query", "SELECT 1", "--timeout", "soon", check=2)
    bulkup("query", "SELECT 1", "-p", "x", check=2)
    endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t"
    assert "took too long" in bulkup("query", endless, "--timeout", "200ms", check=2).stderr
    bulkup("query", "SELECT path FROM files")


def test_a_table_without_rows_has_its_titles(bulkup: Bulkup) -> None:
    assert bulkup("query", "SELECT path, digest FROM files").stdout.split() == ["path", "digest"]


@pytest.mark.parametrize("tool", ["sqlite-utils", "datasette", "sqlite3", "bulkup"])
def test_the_recipes_of_the_manual_run(pushed: Bulkup, tool: str) -> None:
    program = shutil.which(tool, path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    if program is None:
        pytest.skip(f"{tool} is not installed")
    shown = [line for block in re.findall(r"^```sh\n(.*?)^```", RECIPES, re.DOTALL | re.MULTILINE)
             for line in block.splitlines() if line.startswith(f"{tool} ")]  # fmt: skip
    assert shown
    shutil.copy(pushed.home / "manifest.db", pushed.directory / "manifest.db")
    for line in shown:
        if " serve " in line:
            continue  # a server; it does not end
        ended = subprocess.run(
            ["sh", "-c", line],
            cwd=pushed.directory,
            env={
                **pushed.environment(),
                "BULKUP_MANIFEST": str(pushed.home / "manifest.db"),
                "PATH": f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, (line, ended.stderr)

"""Uppy, a library of others for uploads from pages, sends a file in parts through a server."""

from __future__ import annotations

import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.e2e.conftest import Bulkup
from tests.e2e.serving import Serving

PACKAGES = ("@uppy/core@5", "@uppy/aws-s3@5", "xhr2@0.2")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script beside its packages."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("npm is not installed")
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0")
    try:
        subprocess.run(
            [npm, "install", *options, "--prefix", str(tmp_path), *PACKAGES],
            check=True,
            capture_output=True,
            timeout=120,
        )
    except subprocess.SubprocessError as error:
        pytest.skip(f"npm cannot install Uppy: {error}")
    copy = tmp_path / "uppy.mjs"
    copy.write_bytes(Path(__file__).with_name("uppy.mjs").read_bytes())
    (tmp_path / "example.mjs").write_bytes((REPOSITORY / "examples/uppy-bulkup.js").read_bytes())
    return copy


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("uploads_only")
def test_a_file_in_parts_arrives(bulkup: Bulkup, script: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    bulkup.use_settings(f'[push]\nto = "{store}"\n')
    server = Serving(bulkup, (), {})
    server.start()
    token = server.client("page").env["BULKUP_TOKEN"]

    ended = subprocess.run(
        ["node", script, server.url, token, script.with_name("example.mjs")],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )

    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["failed"] == []
    assert sha256((store / "film.mov").read_bytes()).hexdigest() == found["sha256"]

"""Nothing leaves the machine that the user did not ask for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import LIMIT_SECONDS, PROGRAM, Bulkup
from tests.e2e.pictures import photos

SANDBOX = ["unshare", "--net", "--mount"]


def _can_unshare() -> bool:
    try:
        return subprocess.run([*SANDBOX, "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not _can_unshare(), reason="needs root on Linux, and unshare")


class Offline:
    """Runs commands in a machine without a network, whose resolver writes down each question."""

    def __init__(self, bulkup: Bulkup) -> None:
        self._bulkup = bulkup
        self._asked = bulkup.directory / "asked"

    def __call__(self, *command: str | Path) -> set[str]:
        """Run the command, and return the names that it looked up."""
        self._asked.write_text("")
        ended = subprocess.run(
            [*SANDBOX, sys.executable, "-m", "tests.servers.offline", self._asked, *command],
            env=self._bulkup.environment({"PYTHONPATH": str(Path(__file__).parents[2])}),
            cwd=self._bulkup.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return set(self._asked.read_text().split())


def test_push_process_embed_search_and_doctor_ask_nobody_for_anything(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    run = Offline(bulkup)
    lookup = "import socket, contextlib\nwith contextlib.suppress(OSError):\n"
    lookup += "    socket.getaddrinfo('bulkup.example', 443)"
    assert "bulkup.example" in run(sys.executable, "-c", lookup), "the resolver is asked"
    folder = photos(tmp_path / "photos", 20)
    photos(tmp_path / "more", 2, first=20)
    for command in (
        ("push", "photos", "--max-rate", "4"),  # telemetry is posted some seconds after the load
        ("push", "more", "--stages", "upload"),
        ("process",),
        ("embed",),
        ("search", "picture"),
        ("search", "--like", str(folder / "000.jpg")),
        ("doctor",),
        ("verify",),
    ):
        assert run(PROGRAM, *command) == set(), command

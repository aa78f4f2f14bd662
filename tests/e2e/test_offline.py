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


def test_the_other_verbs_ask_nobody_for_anything(bulkup: Bulkup, tmp_path: Path) -> None:
    run = Offline(bulkup)
    photos(tmp_path / "photos", 3)
    bulkup("push", "photos", "--to", "store")
    for command in (
        ("pull", "--into", "back"),
        ("verify", "--deep"),
        ("free", "photos"),
        ("ls",),
        ("du",),
        ("files",),
        ("status",),
        ("history",),
        ("query", "SELECT path FROM files"),
        ("export", "--format", "npz", "--output", "vectors.npz"),
        ("search", "picture", "--html", "hits.html"),
        ("search", "--duplicates"),
        ("models",),
        ("retry", "--failed"),
        ("resume",),
        ("clean",),
        ("rebuild", "--from", "store", "--root", "photos", "--manifest", "again.db"),
    ):
        assert run(PROGRAM, *command) == set(), command


RUN_UNTIL_STOPPED = """
import contextlib, signal, subprocess, sys, urllib.error, urllib.request
to_here = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
program = subprocess.Popen(sys.argv[1:], text=True, **to_here)
for line in program.stdout:
    if "http://" in line:
        link = line[line.index("http://"):].split()[0]
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.build_opener(urllib.request.HTTPCookieProcessor).open(link).read()
        break
    if "ready" in line or "Watching" in line or "uploaded" in line:
        break
try:
    program.wait(6)  # telemetry is posted some seconds after a library is loaded
except subprocess.TimeoutExpired:
    program.send_signal(signal.SIGINT)
program.stdout.read()
sys.exit(program.wait() not in (0, 130))
"""


@pytest.mark.parametrize(
    "command", [("watch", "photos"), ("serve", "--port", "0", "--work")], ids=lambda c: c[0]
)
def test_what_runs_until_it_is_stopped_asks_nobody_for_anything(
    bulkup: Bulkup, tmp_path: Path, command: tuple[str, ...]
) -> None:
    run = Offline(bulkup)
    photos(tmp_path / "photos", 3)
    bulkup("push", "photos", "--to", "store", "--stages", "upload")
    asked = run(sys.executable, "-c", RUN_UNTIL_STOPPED, PROGRAM, *command)
    assert asked == set()

"""`serve --work` with folders that ask to be watched."""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import asked, photo
from tests.e2e.serving import Serving
from tests.servers.process import wait_until

SETTINGS = """[push]
to = "store"
[watch]
rest = "100ms"
[serve]
watch = ["photos"]
"""
PATIENCE_SECONDS = 90


def watches_of(server: int) -> list[int]:
    """The ids of the server's watches."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environ = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if b"watch" in words and b"BULKUP_SERVER_PID=%d" % server in environ:
            found.append(int(folder.name))
    return sorted(found)


def serving(bulkup: Bulkup) -> Serving:
    bulkup.use_settings(SETTINGS)
    (bulkup.directory / "photos").mkdir()
    server = Serving(bulkup, ("--work",), {})
    server.start()
    return server


def started(server: Serving) -> list[int]:
    assert server.process is not None
    pid = server.process.pid
    wait_until(lambda: watches_of(pid) != [], timeout_seconds=PATIENCE_SECONDS, what="a watch")
    return watches_of(pid)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found in /proc")
class TestWatch:
    """What the server does for folders."""

    def test_a_file_that_is_copied_in_is_in_the_gallery(self, bulkup: Bulkup) -> None:
        server = serving(bulkup)
        token = server.client("browser").env["BULKUP_TOKEN"]
        (bulkup.directory / "photos" / "boat.jpg").write_bytes(photo(1))

        def is_searchable() -> bool:
            done = "SELECT count(*) FROM item WHERE state = 'done'"
            return asked(bulkup.home / "manifest.db", done) == [3]

        wait_until(is_searchable, timeout_seconds=PATIENCE_SECONDS, what="all stages")
        headers = {"Authorization": f"Bearer {token}"}
        for path in ("/", "/?q=boat"):
            request = urllib.request.Request(f"{server.url}{path}", headers=headers)
            with urllib.request.urlopen(request, timeout=30) as page:
                assert "/picture/" in page.read().decode()
        runs = "SELECT command FROM run"
        assert "push" in asked(bulkup.home / "manifest.db", runs)

    def test_a_watch_ends_with_the_server_within_two_seconds(self, bulkup: Bulkup) -> None:
        server = serving(bulkup)
        assert len(started(server)) == 1
        assert server.process is not None
        begun = time.monotonic()
        server.process.terminate()
        assert server.process.wait(30) == 143
        assert time.monotonic() - begun < 2.5
        assert watches_of(server.process.pid) == []

    def test_a_watch_ends_when_the_server_is_killed(self, bulkup: Bulkup) -> None:
        server = serving(bulkup)
        (watch,) = started(server)
        server.kill()
        wait_until(
            lambda: not Path(f"/proc/{watch}").exists(),
            timeout_seconds=PATIENCE_SECONDS,
            what="the end of the watch",
        )

    def test_a_watch_that_dies_is_started_again(self, bulkup: Bulkup) -> None:
        server = serving(bulkup)
        (watch,) = started(server)
        os.kill(watch, signal.SIGKILL)
        wait_until(
            lambda: started(server) not in ([], [watch]),
            timeout_seconds=PATIENCE_SECONDS,
            what="another watch",
        )


def test_what_is_no_folder_is_refused_at_the_start(bulkup: Bulkup) -> None:
    bulkup.use_settings(SETTINGS)
    (bulkup.directory / "photos").write_text("")
    said = bulkup("serve", "--port", "0", "--work", check=2).stderr
    assert "photos is no folder" in said

"""bulkup serve and bulkup token, as installed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from tests.e2e.conftest import PROGRAM


class Served:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str], link: str) -> None:
        self.process = process
        self.link = link
        self.url = link.partition("sign-in")[0]


@contextmanager
def serving(tmp_path: Path, *options: str) -> Iterator[Served]:
    argv = [PROGRAM, "serve", "--port", "0", "--manifest", str(tmp_path / "manifest.db"), *options]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            link = re.search(r"http://127\.0\.0\.1:\d+/\S+", process.stdout.readline())
            assert link is not None
            yield Served(process, link[0])
        finally:
            if process.poll() is None:
                process.kill()


def run(tmp_path: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *argv, "--manifest", str(tmp_path / "manifest.db")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip


def fetch(url: str, token: str | None = None) -> bytes:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as found:
        return bytes(found.read())


def refusal(url: str, token: str | None = None) -> int:
    """The status of a request that is refused."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(url, token)
    with refused.value as error:
        return int(error.code)


def test_a_fresh_manifest_is_served_to_the_browser_that_opens_the_link(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        with browser.open(served.link, timeout=10) as found:
            assert "There are no pictures here yet" in found.read().decode()
        assert refusal(served.link) == 401


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_streams_and_the_server_within_two_seconds(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    token = run(tmp_path, "token", "add", "x").stdout.strip()
    with serving(tmp_path) as served:
        request = urllib.request.Request(
            f"{served.url}api/v1/events", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as stream:
            assert stream.readline() == b"retry: 3000\n"
            begun = time.monotonic()
            served.process.send_signal(number)
            stream.read()
        assert served.process.wait(10) == code
        assert time.monotonic() - begun < 2
        assert served.process.stderr is not None
        assert "Traceback" not in served.process.stderr.read()


def test_other_machines_are_refused_until_there_is_a_token(tmp_path: Path) -> None:
    found = run(tmp_path, "serve", "--host", "0.0.0.0", "--port", "0")

    assert found.returncode == 2
    assert "bulkup token add" in found.stderr


def test_tokens_are_added_listed_and_revoked(tmp_path: Path) -> None:
    added = run(tmp_path, "token", "add", "lisa-phone", "--role", "uploader", "--expires", "30d")
    token = added.stdout.strip()
    assert token.startswith("bku_")
    assert token not in added.stderr

    (listed,) = json.loads(run(tmp_path, "token", "list", "--json").stdout)
    assert (listed["name"], listed["role"]) == ("lisa-phone", "uploader")
    assert token not in run(tmp_path, "token", "list").stdout
    with serving(tmp_path) as served:
        assert json.loads(fetch(f"{served.url}api/v1/stats", token))["schema"] == 1
        assert run(tmp_path, "token", "revoke", "lisa-phone").returncode == 0
        assert refusal(f"{served.url}api/v1/stats", token) == 401


@pytest.mark.parametrize(
    "argv",
    [
        ("add",), ("revoke",), ("list", "x"), ("revoke", "none"), ("add", "a b"),
        ("add", "x", "--expires", "soon"), ("list", "--role", "viewer"),
    ],
)  # fmt: skip
def test_wrong_uses_of_token_are_explained(tmp_path: Path, argv: tuple[str, ...]) -> None:
    found = run(tmp_path, "token", *argv)

    assert found.returncode == 2
    assert found.stderr


def test_without_the_extra_its_command_is_named(tmp_path: Path) -> None:
    (tmp_path / "starlette.py").write_text("raise ImportError('no starlette', name='starlette')")
    found = subprocess.run(
        [PROGRAM, "serve"], check=False, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip

    assert found.returncode == 2
    assert "starlette" in found.stderr
    assert "Install them" in found.stderr

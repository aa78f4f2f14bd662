"""moto's S3 server in a process of its own: real HTTP, no system package, no signatures checked.

In a process of its own because importing moto hooks itself into botocore, and because its
threads would share an interpreter with the code under test.
"""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.endpoint import Endpoint
from tests.servers.process import ServerFailed, free_port, unmeasured, wait_until

START_SECONDS = 30  # it imports for 2 s on an idle machine


@contextmanager
def running() -> Iterator[Endpoint]:
    """A server that holds nothing yet, until the end of the `with` block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "moto.server",
        "-H",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    process = subprocess.Popen(
        command,
        env=unmeasured(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(
            lambda: process.poll() is not None or _answers(url),
            timeout_seconds=START_SECONDS,
            what="moto's server did not answer",
        )
        if process.poll() is not None:
            raise ServerFailed(f"moto's server ended with {process.returncode}")
        yield Endpoint(url)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(f"{url}/moto-api/data.json", timeout=5).close()
    except (urllib.error.URLError, OSError):
        return False
    return True

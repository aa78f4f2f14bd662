"""Fixtures for all tests: an environment without the user's settings, and S3 servers to talk to."""

from __future__ import annotations

import itertools
import os
import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from bulkup.manifest.database.connection import ManifestConnection
from tests.fakes.s3_server import FakeS3
from tests.servers import ceph as ceph_server
from tests.servers import front as front_server
from tests.servers import moto
from tests.servers.endpoint import Endpoint
from tests.servers.front import Front

# How long an example takes depends on the machine and on coverage; it says nothing about the code.
# The same examples in each run, so that a change is judged by itself; `make fuzz` tries new ones.
settings.register_profile("bulkup", deadline=None, derandomize="BULKUP_EXAMPLES" not in os.environ)
settings.load_profile("bulkup")


def _warn_if_open(connection: ManifestConnection) -> None:
    try:
        _ = connection.total_changes
    except sqlite3.ProgrammingError:
        return  # is closed
    warnings.warn(f"{connection.path} was left open", ResourceWarning, stacklevel=1)


if sys.version_info < (3, 13):  # newer ones do so by themselves
    ManifestConnection.__del__ = _warn_if_open  # type: ignore[attr-defined]

REPOSITORY = Path(__file__).parents[1]
FOREIGN = ("AWS_", "BULKUP_", "S3_", "SSL_CERT_", "REQUESTS_CA_", "CURL_CA_")
KEPT = ("BULKUP_CORPUS",)


def foreign(name: str) -> bool:
    """Whether an environment variable of the user's could change what a test sees."""
    return name not in KEPT and (name.startswith(FOREIGN) or name.lower().endswith("_proxy"))


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Paths of homes that nobody has; mktemp would look through all directories for each."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, homes: Iterator[Path]) -> None:
    """No credentials, proxies or settings of the user's; BULKUP_HOME in a directory of its own."""
    for name in list(os.environ):
        if foreign(name):
            monkeypatch.delenv(name)
    home = next(homes)
    home.mkdir()
    monkeypatch.setenv("BULKUP_HOME", str(home / "bulkup"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    # Most tests count requests and objects; tests/e2e/test_manifest_copies.py turns it on.
    monkeypatch.setenv("BULKUP_MANIFEST_BACKUP", "never")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def s3() -> Iterator[Endpoint]:
    """moto's S3 server; `s3.make_bucket()` gives a bucket that no other test has."""
    with moto.running() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def ceph() -> Iterator[Endpoint]:
    """A real Ceph gateway; tests that use it are marked `ceph`."""
    with ceph_server.running() as endpoint:
        yield endpoint


@pytest.fixture
def fake_s3() -> Iterator[Callable[..., FakeS3]]:
    """Starts scripted S3 servers: `fake_s3(faults=[...], keep_bodies=True)`."""
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(FakeS3(**options))


@pytest.fixture
def front() -> Iterator[Callable[..., Front]]:
    """Starts nginx as a sink or throttle: `front(upstream=..., faults=Faults(rate=100))`.

    Tests that use it are marked `nginx`.
    """
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(front_server.running(**options))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real pictures; tests that use it are marked `corpus`."""
    folder = Path(os.environ.get("BULKUP_CORPUS", REPOSITORY.parent / "shared" / "corpus"))
    if not folder.is_dir():
        pytest.skip(f"no corpus of pictures at {folder}; BULKUP_CORPUS names one")
    return folder

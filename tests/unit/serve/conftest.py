"""A server without sockets: its application, called as a browser or a program would call it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from bulkup.manifest.server import ServerManifest
from bulkup.serve.app import make_app
from bulkup.serve.context import ServerContext, new_context
from bulkup.serve.tokens import Role, add_token
from bulkup.settings.load import load
from bulkup.settings.table import Settings
from tests.fakes.clock import FakeClock
from tests.unit.serve.library import Library, pushed

HOST = "127.0.0.1:8765"
KEYS = {"AWS_ACCESS_KEY_ID": "key-id", "AWS_SECRET_ACCESS_KEY": "secret-key"}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A small library that was pushed; nobody changes it."""
    return pushed(tmp_path_factory.mktemp("library"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The defaults, with a manifest of the test's own."""
    return load({"manifest": str(tmp_path / "manifest.db")}, {}, tmp_path, warn=print)


@pytest.fixture
def manifest(settings: Settings) -> Any:
    """The manifest that the server is over, to prepare a test."""
    with ServerManifest(settings.manifest) as manifest:
        yield manifest


@pytest.fixture
def pushed_settings(tmp_path: Path, library: Library) -> Settings:
    """The defaults, with a copy of the library's manifest."""
    library.copied_to(tmp_path / "manifest.db")
    return load({"manifest": str(tmp_path / "manifest.db")}, {}, tmp_path, warn=print)


@pytest.fixture
async def context(settings: Settings, clock: FakeClock) -> AsyncIterator[ServerContext]:
    """What the server's requests share."""
    context = new_context(settings, clock=clock, random=Random(1), environ=KEYS, readers=1)
    yield context
    await context.close()


@pytest.fixture
def app(context: ServerContext) -> ASGIApp:
    return make_app(context)


@pytest.fixture
def token(manifest: ServerManifest, clock: FakeClock) -> Callable[[Role], str]:
    """Makes a token with a role."""

    def made(role: Role) -> str:
        name = f"{role}-{len(manifest.tokens.all(now=clock.now()))}"
        return add_token(manifest.tokens, name, role, now=clock.now(), expires_seconds=None)

    return made


@pytest.fixture
async def client_of(
    app: ASGIApp, token: Callable[[Role], str]
) -> AsyncIterator[Callable[[Role | None], httpx.AsyncClient]]:
    """Makes a client with a token of its own; None: without one."""
    made: list[httpx.AsyncClient] = []

    def client(role: Role | None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {} if role is None else {"Authorization": f"Bearer {token(role)}"}
        made.append(
            httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}", headers=headers)
        )
        return made[-1]

    yield client
    for one in made:
        await one.aclose()


@pytest.fixture
def viewer(client_of: Callable[[Role | None], httpx.AsyncClient]) -> httpx.AsyncClient:
    return client_of(Role.VIEWER)


@pytest.fixture
def uploader(client_of: Callable[[Role | None], httpx.AsyncClient]) -> httpx.AsyncClient:
    return client_of(Role.UPLOADER)


@pytest.fixture
def operator(client_of: Callable[[Role | None], httpx.AsyncClient]) -> httpx.AsyncClient:
    return client_of(Role.OPERATOR)


@pytest.fixture
def stranger(client_of: Callable[[Role | None], httpx.AsyncClient]) -> httpx.AsyncClient:
    """Without a token."""
    return client_of(None)

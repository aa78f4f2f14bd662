"""A real `bulkup serve`, and clients that have a token and no keys of the bucket."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

from tests.e2e.conftest import Bulkup
from tests.servers.process import free_port, wait_until

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testtest"}

MANY = "[serve]\nburst = 100000\nper_minute = 100000\n"


def stored(fake: Any) -> list[str]:
    """The keys of the objects, without bulkup's own."""
    return sorted(path for path in fake.held if "/.bulkup/" not in path)


@dataclass(slots=True)
class Client:
    """Another host: a token, and nothing else."""

    bulkup: Bulkup
    url: str
    env: dict[str, str]

    @property
    def photos(self) -> Path:
        return self.bulkup.directory / "photos"

    def write(self, count: int, *, size_bytes: int = 2000, seed: int = 0) -> None:
        self.photos.mkdir(exist_ok=True)
        for n in range(count):
            body = b"\xff\xd8\xff\xe0%d %d" % (seed, n)
            (self.photos / f"{seed}-{n}.jpg").write_bytes(body.ljust(size_bytes, b"."))

    def start_push(self, **env: str) -> Popen[str]:
        return self.bulkup.start("push", "photos", "--to", self.url, env={**self.env, **env})

    def push(self, *more: str, check: int = 0, **env: str) -> dict[str, Any]:
        """The last event of a push: its summary."""
        options = ("--to", self.url, "--json", *more)
        ended = self.bulkup("push", "photos", *options, env={**self.env, **env}, check=check)
        summary: dict[str, Any] = ended.lines()[-1]
        return summary


@dataclass(slots=True)
class Serving:
    """A server, and what its clients need."""

    bulkup: Bulkup
    options: tuple[str, ...]
    env: dict[str, str]
    port: int = field(default_factory=free_port)
    process: Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        arguments = ("serve", "--port", str(self.port), *self.options)
        self.process = self.bulkup.start(*arguments, env=self.env)
        wait_until(self._answers, timeout_seconds=30, what="the server")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def client(self, name: str) -> Client:
        said = self.bulkup("token", "add", name, "--role", "uploader").stdout
        token = re.search(r"bku_\S+", said)
        assert token is not None
        directory = self.bulkup.directory / name
        directory.mkdir()
        one = Bulkup(directory, started=self.bulkup.started)
        return Client(one, self.url, {"BULKUP_TOKEN": token[0]})

    def status(self) -> Any:
        return self.bulkup("status", "--json").json()

    def _answers(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

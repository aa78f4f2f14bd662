"""The installed command, in a subprocess, as people and cron run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.servers.process import unmeasured

PROGRAM = Path(sys.executable).with_name("bulkup")
LIMIT_SECONDS = 100  # below pytest's own limit, so that the output is shown
MEASURED: set[tuple[str, ...]] = set()  # sequences of commands, by module


@dataclass(frozen=True, slots=True)
class Ended:
    """What a finished command left behind."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Standard output, read as one JSON document."""
        return json.loads(self.stdout)

    def lines(self) -> list[Any]:
        """Standard output, read as JSON lines."""
        return [json.loads(line) for line in self.stdout.splitlines()]


@dataclass(slots=True)
class Bulkup:
    """Runs `bulkup` with a BULKUP_HOME of its own and nothing of the user's environment."""

    directory: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    sequence: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        """BULKUP_HOME of every command."""
        return self.directory / "home"

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The test's clean environment, with this BULKUP_HOME and `more`."""
        own = {"BULKUP_HOME": str(self.home), "PYTHONWARNINGS": "default", "COLUMNS": "200"}
        return {**os.environ, **own, **(more or {})}

    def measured(
        self, args: tuple[str | os.PathLike[str], ...], more: Mapping[str, str]
    ) -> dict[str, str]:
        """The environment of a command, without coverage if another test of the module began with
        the same verbs, options and variables; most tests begin with the same push."""
        words = [os.fspath(arg).partition("=")[0] for arg in args]
        names = sorted(word for word in words if word.startswith("-"))
        module = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
        self.sequence = (*(self.sequence or (module,)), " ".join([*words[:1], *names, *more]))
        environ = self.environment(more)
        if self.sequence in MEASURED:
            return unmeasured(environ)
        MEASURED.add(self.sequence)
        return environ

    def use_settings(self, toml: str) -> None:
        """Write bulkup.toml into the directory of the commands, and allow it."""
        (self.directory / "bulkup.toml").write_text(toml)
        self("allow")

    def start(
        self,
        *args: str | os.PathLike[str],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[str]:
        """Start a command and return at once; what still runs at the end of the test is killed."""
        process = subprocess.Popen(
            [PROGRAM, *args],
            env=self.measured(args, env or {}),
            cwd=cwd or self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
        )
        self.started.append(process)
        return process

    def finish(
        self,
        process: subprocess.Popen[str],
        *,
        check: int | None = None,
        timeout_seconds: float = LIMIT_SECONDS,
    ) -> Ended:
        """Wait for a started command; `check` is the exit code that it must end with."""
        stdout, stderr = process.communicate(timeout=timeout_seconds)
        ended = Ended(process.returncode, stdout, stderr)
        if check is not None and ended.code != check:
            shown = " ".join(map(str, process.args[1:]))  # type: ignore[index]
            pytest.fail(
                f"`bulkup {shown}` exited {ended.code}, not {check}\n{stdout}\n{stderr}",
                pytrace=False,
            )
        return ended

    def __call__(
        self,
        *args: str | os.PathLike[str],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        check: int | None = 0,
    ) -> Ended:
        """Run a command to its end. It must exit with `check`; None: with anything."""
        return self.finish(self.start(*args, env=env, cwd=cwd), check=check)


@pytest.fixture
def bulkup(tmp_path: Path) -> Iterator[Bulkup]:
    """The installed `bulkup`, in a directory of the test's own."""
    runner = Bulkup(tmp_path)
    yield runner
    for process in runner.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def uploads_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """For modules about the first stage: their files hold words, not pictures."""
    monkeypatch.setenv("BULKUP_STAGES", "upload")

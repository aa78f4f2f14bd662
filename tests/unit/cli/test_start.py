"""What a command loads before it does anything: each module is paid for at every start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bulkup.cli.commands import NAMES

MOST = {"status": 50, "push": 171}
"""So many modules of bulkup's own may be loaded: each costs a start about 0.2 ms. What a command
does not need each time is imported where it is needed."""

HEAVY = {"PIL", "boto3", "botocore", "httpx", "numpy", "onnxruntime", "rich", "tenacity"}


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a call of bulkup has loaded when it is over."""
    code = (
        "import sys\n"
        "from bulkup.cli.app import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as leaving: assert not leaving.code, leaving.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def own(modules: set[str]) -> set[str]:
    """Those of bulkup."""
    return {name for name in modules if name.partition(".")[0] == "bulkup"}


def test_only_the_command_that_runs_is_loaded(tmp_path: Path) -> None:
    commands = {f"bulkup.cli.{name}" for name in NAMES}
    assert not loaded_by("--version") & commands
    modules = loaded_by("status", "--manifest", str(tmp_path / "none.db"))
    assert modules & commands == {"bulkup.cli.status"}
    assert not modules & (HEAVY | {"asyncio", "uvloop", "pyreqwest", "zipfile"})
    assert len(own(modules)) <= MOST["status"]
    pictures = {name for name in modules if name.startswith("bulkup.content.picture.")}
    assert pictures == {"bulkup.content.picture.spec"}, "values only"
    assert not any(name.startswith(("bulkup.stores", "bulkup.walk")) for name in modules)
    assert loaded_by("--help") & commands == commands


def test_an_upload_alone_loads_nothing_of_the_later_stages(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 as good as a picture")
    common = ("--manifest", str(tmp_path / "m.db"), "--quiet")
    where = ("push", str(folder), "--to", str(tmp_path / "there"), *common)
    modules = loaded_by(*where, "--stages", "upload")
    assert (tmp_path / "there").exists()
    assert not modules & HEAVY
    assert len(own(modules)) <= MOST["push"]
    assert not modules & {
        "bulkup.content.archive",
        "bulkup.manifest.merge.merge",
        "bulkup.manifest.uploads.reservations",
        "bulkup.content.picture.types",
        "bulkup.run.stages.attempts",
        "bulkup.run.stages.embed",
        "bulkup.run.stages.process",
        "bulkup.run.work.variant_cache",
        "zipfile",
    }
    assert not any(name.startswith(("bulkup.process.", "bulkup.embed.")) for name in modules)


def test_a_run_that_does_not_upload_loads_nothing_of_the_upload(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.txt").write_text("no picture")
    common = ("--manifest", str(tmp_path / "m.db"), "--quiet")
    push = ("push", str(folder), "--to", str(tmp_path / "there"), "--all-files")
    loaded_by(*push, *common, "--stages", "upload")
    modules = loaded_by("process", *common)
    assert "bulkup.run.stages.process" in modules
    assert not any(
        name.startswith(("bulkup.run.scan.", "bulkup.run.upload.", "bulkup.run.ingest."))
        for name in modules
    )


@pytest.mark.parametrize("command", ["push", "process"])
def test_a_run_to_a_directory_loads_nothing_of_buckets_and_servers(
    tmp_path: Path, command: str
) -> None:
    """30 modules and pyreqwest came along with the URLs for the workers of a cluster."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.txt").write_text("no picture")
    common = ("--manifest", str(tmp_path / "m.db"), "--quiet")
    push = ("push", str(folder), "--to", str(tmp_path / "there"), "--all-files", *common)
    if command == "process":
        loaded_by(*push, "--stages", "upload")
    modules = loaded_by(*(push if command == "push" else (command, *common)))
    assert "bulkup.run.stages.process" in modules
    assert not modules & {
        "pyreqwest",
        "bulkup.run.stages.signing",
        "bulkup.stores.s3.http1",
        "bulkup.stores.s3.store",
        "bulkup.stores.signed_store",
        "bulkup.stores.broker.http",
    }


def test_a_start_is_not_held_up_by_looking_for_garbage() -> None:
    code = (
        "import gc, sys\n"
        "before = sum(generation['collections'] for generation in gc.get_stats())\n"
        "import bulkup.cli.app, bulkup.cli.push, bulkup.operations.push\n"
        "after = sum(generation['collections'] for generation in gc.get_stats())\n"
        "print(after - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 3


@pytest.mark.parametrize(
    "error",
    [
        "MemoryError()",
        'RuntimeError("can\'t start new thread")',
        "ImportError('x.so: failed to map segment from shared object')",
        "OSError(12, 'Cannot allocate memory')",
        "OSError(24, 'Too many open files')",
    ],
)
def test_a_limit_that_is_reached_is_no_bug(error: str) -> None:
    program = f"from bulkup.cli import app\ndef run(**_): raise {error}\napp.app = run\napp.main()"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 5
    assert "ulimit" in ended.stderr
    assert "Traceback" not in ended.stderr

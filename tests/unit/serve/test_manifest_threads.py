"""A manifest that another file replaces while a server has it open."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bulkup.manifest.server import ServerManifest, ServerReader
from bulkup.serve.manifest_threads import ManifestThreads
from tests.sql import sql
from tests.unit.serve.library import Library


def replace(path: Path, root: str) -> None:
    """Put another file there, in which the root has this path."""
    other = path.with_name("other.db")
    shutil.copy(path, other)
    sql(other, "UPDATE root SET path = ?", root)
    os.replace(other, path)


def roots(reader: ServerReader) -> list[str]:
    return reader.reports.roots()


async def test_what_replaced_the_manifest_after_one_question_answers_the_next(
    tmp_path: Path, library: Library
) -> None:
    path = tmp_path / "manifest.db"
    library.copied_to(path)
    threads = ManifestThreads(str(path), readers=1)
    try:
        assert await threads.read(roots) != ["/restored"]
        replace(path, "/restored")
        assert await threads.read(roots) == ["/restored"]
        replace(path, "/once more")
        assert await threads.read(roots) == ["/once more"]
    finally:
        threads.close()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of open files")
async def test_a_manifest_that_was_replaced_is_not_kept_open(
    tmp_path: Path, library: Library
) -> None:
    path = tmp_path / "manifest.db"
    library.copied_to(path)
    threads = ManifestThreads(str(path), readers=1)

    def nothing(_: ServerManifest) -> None:
        pass

    def open_files() -> int:
        links = [os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
        return sum(link.startswith(f"{path} (deleted)") for link in links)

    try:
        for n in range(3):
            await threads.read(roots)
            await threads.write(nothing)
            replace(path, f"/{n}")
        await threads.read(roots)
        await threads.write(nothing)
        assert open_files() == 0
    finally:
        threads.close()

"""Albums by the names that users give."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkup.errors import UsageError
from bulkup.manifest.manifest import Manifest
from bulkup.operations.pictures.albums import members_of
from tests.sql import sql


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Manifest]:
    with Manifest(str(tmp_path / "manifest.db")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        ([], "Albums: none."),
        (["Rome", "a\nb"], r"Albums: Rome, a\nb."),
        (["x" * 5000], f"Albums: {'x' * 80}…."),
    ],
)
def test_an_unknown_album_is_told_with_those_that_are_there(
    manifest: Manifest, names: list[str], hint: str
) -> None:
    for name in names:
        sql(manifest, "INSERT INTO album (name, source) VALUES (?, 'folder')", name)
    with pytest.raises(UsageError) as found:
        members_of(manifest.albums, "Nope")
    assert found.value.hint == hint


def test_thousands_of_albums_are_not_all_listed(manifest: Manifest) -> None:
    for number in range(1000):
        sql(manifest, "INSERT INTO album (name, source) VALUES (?, 'folder')", f"{number:03}")
    with pytest.raises(UsageError) as found:
        members_of(manifest.albums, "Nope")
    assert found.value.hint is not None
    assert found.value.hint.endswith("028, 029, and 970 more (the view albums).")

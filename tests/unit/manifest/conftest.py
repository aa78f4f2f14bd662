"""Manifests for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkup.manifest.manifest import Manifest


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Manifest]:
    """A new manifest in a directory of its own."""
    with Manifest(str(tmp_path / "manifest.db")) as opened:
        yield opened

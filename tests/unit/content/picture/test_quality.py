"""The quality of a JPEG by its tables, and that of its variants."""

from __future__ import annotations

import pytest

from bulkup.content.picture.quality import adapted_quality, jpeg_quality
from tests.unit.content.picture.made import opened, saved, scene


@pytest.mark.parametrize("quality", range(20, 100, 5))
def test_quality_is_told_by_the_tables(quality: int) -> None:
    tables = opened(saved(scene(64, 64), quality=quality)).quantization  # type: ignore[attr-defined]
    found = jpeg_quality(tables)
    assert found is not None
    assert abs(found - quality) <= 2


def test_quality_adapts_only_where_faults_would_be_seen() -> None:
    assert adapted_quality(80, 60, shrunk=1.0) == 60
    assert adapted_quality(80, 95, shrunk=1.0) == 80
    assert adapted_quality(80, 60, shrunk=8.0) == 80
    assert adapted_quality(80, 5, shrunk=1.0) == 40
    assert adapted_quality(80, None, shrunk=1.0) == 80

"""The pages over a library that was pushed."""

from __future__ import annotations

import pytest

from bulkup.settings.table import Settings


@pytest.fixture
def settings(pushed_settings: Settings) -> Settings:
    return pushed_settings

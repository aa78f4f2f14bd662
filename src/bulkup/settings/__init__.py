"""Settings: flags > environment > bulkup.toml > defaults, as one frozen value."""

from __future__ import annotations

from bulkup.settings.load import load
from bulkup.settings.parsing import parse_duration, parse_size
from bulkup.settings.table import SettingRow, Settings, describe

__all__ = ["SettingRow", "Settings", "describe", "load", "parse_duration", "parse_size"]

"""Keyword arguments: those of the command line, with values of Python's own types."""

from __future__ import annotations

import inspect
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import bulkup
from bulkup.api.options import PushKeywords, settings_of
from bulkup.cli.shared_options import GLOBAL_OPTIONS
from bulkup.errors import SettingsError
from bulkup.settings.table import LEAVES
from tests.unit.api.test_exports import VERBS

SHOWN = {"json", "csv", "html", "print0", "watch", "stats", "quiet", "verbose", "log_file", "as_of"}
"""What only a screen or a file needs."""
CALLBACKS = {"on_event", "on_progress"}
OTHER_NAMES = {("pull", "source"): "from_"}
NOT_HERE = {("status", "metrics_file")}


def flags_of(verb: str) -> set[str]:
    """The parameters of the command, as the library would name them."""
    module = import_module(f"bulkup.cli.{verb}")
    own = set(inspect.signature(module.run).parameters) - {"flags"}
    rows = (LEAVES[key].row for key in getattr(module, "SETTINGS", ()))
    flags = {str(row.flag).removeprefix("--").replace("-", "_") for row in rows}
    found = {OTHER_NAMES.get((verb, name), name) for name in own | flags | set(GLOBAL_OPTIONS)}
    return {name for name in found - SHOWN if (verb, name) not in NOT_HERE}


def keywords_of(verb: str) -> set[str]:
    """The arguments of the function."""
    function: Any = getattr(bulkup, verb)
    parameters = inspect.signature(function).parameters
    more = get_type_hints(function)["options"].__args__[0].__optional_keys__
    return {*parameters, *more} - {"options", *CALLBACKS}


@pytest.mark.parametrize("verb", VERBS)
def test_a_function_has_the_options_of_its_command(verb: str) -> None:
    assert keywords_of(verb) == flags_of(verb)


@pytest.mark.parametrize("verb", VERBS)
def test_the_async_form_has_the_same_signature(verb: str) -> None:
    plain = inspect.signature(getattr(bulkup, verb))
    assert plain == inspect.signature(getattr(bulkup.aio, verb))


def test_values_are_of_the_types_that_python_has_for_them(tmp_path: Path) -> None:
    settings = settings_of(
        {
            "manifest": tmp_path / "m.db",
            "max_duration": timedelta(minutes=10),
            "newer_than": timedelta(days=30),
            "older_than": datetime(2026, 1, 31, tzinfo=UTC),
            "include": ("*.jpg", "a, b.png"),
            "metadata": {"archive": "family"},
            "limit": 0,
            "hidden": False,
            "concurrency": "auto",
            "bwlimit": "10M",
        },
        PushKeywords,
        to=tmp_path / "there",
    )
    assert settings.manifest == str(tmp_path / "m.db")
    assert settings.run.max_duration_seconds == 600
    assert settings.upload.newer_than == timedelta(days=30)
    assert settings.upload.older_than == datetime(2026, 1, 31, tzinfo=UTC)
    assert settings.upload.include == ("*.jpg", "a, b.png")
    assert settings.upload.metadata == {"archive": "family"}
    assert settings.run.limit == 0
    assert settings.run.bwlimit_bytes_per_second == 10 << 20
    assert settings.upload.to == str(tmp_path / "there")
    assert settings_of({"newer_than": date(2026, 1, 31)}, PushKeywords).upload.newer_than == (
        datetime(2026, 1, 31)  # noqa: DTZ001 - local time
    )


def test_what_is_not_given_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKUP_LIMIT", "7")
    assert settings_of({}, PushKeywords).run.limit == 7
    assert settings_of({"limit": 3}, PushKeywords).run.limit == 3


def test_a_wrong_value_and_a_wrong_name_are_errors() -> None:
    with pytest.raises(SettingsError, match="--limit"):
        settings_of({"limit": -1}, PushKeywords)
    with pytest.raises(TypeError, match="unexpected keyword argument 'limt'; did you mean 'limit'"):
        bulkup.push("photos", limt=1)  # type: ignore[call-arg]

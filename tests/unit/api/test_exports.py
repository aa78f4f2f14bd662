"""What `import bulkup` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import bulkup
from bulkup.api import exports
from bulkup.cli.commands import NAMES

VERBS = ("push", "status", "retry", "process", "embed", "search", "verify", "pull", "resume")


def test_the_package_exports_what_its_list_names() -> None:
    assert set(bulkup.__all__) == {*exports.__all__, "aio", "__version__"}
    assert list(bulkup.__all__) == sorted(bulkup.__all__)
    for name in bulkup.__all__:
        assert getattr(bulkup, name) is not None
        assert name in dir(bulkup)
    with pytest.raises(AttributeError, match="has no attribute 'pushh'"):
        _ = bulkup.pushh  # type: ignore[attr-defined]


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_a_command_and_has_an_async_form(verb: str) -> None:
    assert verb in NAMES
    assert callable(getattr(bulkup, verb))
    assert getattr(bulkup, verb).__doc__
    assert verb in bulkup.aio.__all__


def in_a_new_interpreter(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_import_alone_loads_next_to_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules); import bulkup; "
        "print(*sorted(set(sys.modules) - before))"
    )
    modules = in_a_new_interpreter(code).split()
    assert modules == ["bulkup", "bulkup.embed", "bulkup.process", "bulkup.search"]


def test_a_function_stays_a_function_when_the_package_of_its_name_is_imported() -> None:
    code = (
        "import bulkup, bulkup.search.filters, bulkup.process.task, bulkup.embed.options\n"
        "from bulkup import aio\n"
        "print(*(callable(getattr(bulkup, n)) for n in ('search', 'process', 'embed')), "
        "callable(aio.push))"
    )
    assert in_a_new_interpreter(code) == "True True True True"


def test_modules_below_a_package_with_a_function_s_name_are_imported_under_another_name() -> None:
    code = (
        "import bulkup.search.filters as filters, bulkup.process.task as task\n"
        "import bulkup.embed.two_towers.folder as folder, bulkup, inspect\n"
        "print(filters.__name__, task.__name__, folder.__name__, "
        "all(inspect.isfunction(f) for f in (bulkup.search, bulkup.process, bulkup.embed)))"
    )
    names = "bulkup.search.filters bulkup.process.task bulkup.embed.two_towers.folder"
    assert in_a_new_interpreter(code) == f"{names} True"

"""Every public method of the manifest says in bulkup's errors what is wrong with the file.

The methods are found by introspection, and their arguments are made from their annotations: a new
method is tested without a word here.
"""

from __future__ import annotations

import inspect
import pkgutil
import sqlite3
import typing
from collections import abc
from collections.abc import Callable, Iterator
from contextlib import closing
from enum import Enum
from functools import partial
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NewType

import pytest

import bulkup.manifest
from bulkup.content.picture.types import Metadata, PictureFacts
from bulkup.errors import ManifestCorrupt, ManifestLocked, ManifestReadOnly
from bulkup.manifest.database.connection import ManifestConnection, connect
from bulkup.manifest.database.sql import Statements
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.server import ServerManifest, ServerReader
from bulkup.model import Digest, Part, Stage
from tests.unit.manifest.recording import Pusher

for found in pkgutil.walk_packages(bulkup.manifest.__path__, "bulkup.manifest."):
    import_module(found.name)  # so that all groups are known

NAMES = {"Metadata": Metadata, "PictureFacts": PictureFacts}
PLAIN: dict[Any, Any] = {
    int: 1,
    float: 1.0,
    str: "00" * 32,  # a digest, a key, a path
    bytes: b"x",
    bool: True,
    object: 1,
    Digest: Digest("00" * 32),
    Stage: Stage.PROCESS,
    NoneType: None,
    Part: Part(1, 1, "x", Digest("00" * 32)),
}

WITHOUT_THE_FILE = {"Integrity.journal_mode", "UserQueries.run"}
"""What SQLite answers from memory, and a context manager, which has to be entered first."""


def example(hint: Any) -> Any:
    """A value of a type, with one element in every collection."""
    if hint in PLAIN:
        return PLAIN[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, UnionType):
        return example(arguments[0])
    if origin is Literal:
        return arguments[0]
    if origin in (abc.Mapping, dict):
        return {}
    if origin is tuple:
        return tuple(example(one) for one in arguments if one is not Ellipsis)
    if origin in (abc.Sequence, abc.Iterable, list):
        return [example(arguments[0])]
    if origin is abc.Callable:
        return lambda *_: example(arguments[1])
    if isinstance(hint, NewType):
        return example(hint.__supertype__)
    if issubclass(hint, Enum):
        return next(iter(hint))
    if hasattr(hint, "_fields"):
        hints = typing.get_type_hints(hint, localns=NAMES)
        return hint(**{name: example(one) for name, one in hints.items()})
    return hint(**arguments_of(hint.__init__))


def arguments_of(function: Callable[..., Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(function, localns=NAMES)
    return {
        name: example(hints[name])
        for name, one in inspect.signature(function).parameters.items()
        if name in hints and one.default is one.empty
    }


def calls(db: ManifestConnection) -> Iterator[tuple[str, Callable[[], object]]]:
    """Each public method of each group of statements, ready to be called."""
    for group in Statements.__subclasses__():
        statements = group(db)
        for name, method in inspect.getmembers(statements, inspect.ismethod):
            full_name = f"{group.__name__}.{name}"
            if not name.startswith("_") and full_name not in WITHOUT_THE_FILE:
                yield full_name, partial(whole, method, arguments_of(method))


def whole(method: Callable[..., Any], arguments: dict[str, Any]) -> None:
    found = method(**arguments)
    if isinstance(found, Iterator):
        list(found)


def raised(call: Callable[[], object]) -> type[Exception] | None:
    try:
        call()
    except Exception as error:
        return type(error)
    return None


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ManifestConnection]:
    """A connection without WAL, where a lock stops readers, too."""
    monkeypatch.chdir(tmp_path)  # a path among the arguments is relative
    path = str(tmp_path / "m.db")
    with Manifest(path, journal_mode="delete") as manifest:
        Pusher.begin(manifest, "a").push("x.jpg")
    with closing(connect(path, journal_mode="delete")) as opened:
        opened.execute("PRAGMA busy_timeout = 0")
        yield opened


def test_all_groups_are_those_of_the_manifest_and_its_reader(tmp_path: Path) -> None:
    path = str(tmp_path / "m.db")
    with ServerManifest(path) as manifest, ServerReader(path) as reader:
        groups = {
            type(group)
            for opened in (manifest, reader)
            for name in dir(opened)
            if isinstance(group := getattr(opened, name), Statements)
        }
    assert set(Statements.__subclasses__()) == groups


def test_damage_is_named_by_every_method(db: ManifestConnection) -> None:
    found = list(calls(db))
    size = Path(db.path).stat().st_size
    Path(db.path).write_bytes(b"no database" + bytes(size))
    assert {name: raised(call) for name, call in found} == dict.fromkeys(
        (name for name, _ in found), ManifestCorrupt
    )
    assert len(found) > 80


def test_a_lock_is_named_by_every_method(db: ManifestConnection) -> None:
    with closing(sqlite3.connect(db.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert {name: raised(call) for name, call in calls(db)} == dict.fromkeys(
            (name for name, _ in calls(db)), ManifestLocked
        )


def test_a_manifest_that_cannot_be_written_answers_or_says_so(db: ManifestConnection) -> None:
    db.execute("PRAGMA query_only = 1")
    found = {raised(call) for _, call in calls(db)}
    assert found == {None, ManifestReadOnly}


def test_a_programming_error_stays_one(db: ManifestConnection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        db.execute("SELECT * FROM nowhere")

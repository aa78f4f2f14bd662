"""One setting: a dataclass field that knows its key, variables, flag, default and help."""

from __future__ import annotations

from dataclasses import field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from bulkup.settings import parsing as kinds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bulkup.settings.parsing import Kind


_PREFIXED = ("embed", "claims", "notify", "serve")

Values = dict[tuple[str, ...], Any]
"""Values by the names of the groups and the field that lead to them."""


class SettingRow(NamedTuple):
    """A setting as the documentation and `bulkup init` show it."""

    key: str  # in bulkup.toml, with its table: push.limit
    env: tuple[str, ...]  # the first that is set wins
    flag: str | None  # None: no flag
    default: object  # as bulkup.toml writes it; '' where there is none
    example: object  # a value worth trying; the default where that is one
    help: str


class Leaf(NamedTuple):
    """A setting's place in the options: `path` names the groups that lead to its field."""

    path: tuple[str, ...]
    name: str
    row: SettingRow
    kind: Kind


class Written(NamedTuple):
    """A value as written: `where` is for error messages, `folder` for relative paths."""

    value: object
    where: str
    folder: Path


def setting(
    key: str,
    kind: Kind,
    help: str,  # noqa: A002  # the word the reader of the table expects
    *,
    default: object = "",
    example: object = None,
    flag: bool | str = True,
    env: str = "",
) -> Any:
    """A field whose default is written as in bulkup.toml; '' is None, or empty for a collection.

    Its variable is BULKUP_NAME, or BULKUP_TABLE_NAME in the tables of _PREFIXED, its flag --name,
    unless `env` (variables separated by spaces) and `flag` say otherwise.
    """
    table, _, name = key.rpartition(".")
    own = f"BULKUP_{table}_{name}" if table in _PREFIXED else f"BULKUP_{name}"
    row = SettingRow(
        key=key,
        env=tuple((env or own.upper()).split()),
        flag=f"--{(flag if isinstance(flag, str) else name).replace('_', '-')}" if flag else None,
        default=default,
        example=default if example is None else example,
        help=help,
    )
    metadata = {"row": row, "kind": kind}
    if kind is kinds.PAIRS:
        return field(default_factory=dict, metadata=metadata)
    parsed = None if default == "" else kind.parse(default)
    return field(default=parsed, repr=not kind.secret, metadata=metadata)


def group(options: type[Any]) -> Any:
    """A field that holds other options; frozen, so one default serves all."""
    return field(default_factory=options, metadata={"options": options})


def leaves(options: type[Any], path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every setting in these options and in the groups within them."""
    for one in fields(options):
        if "row" in one.metadata:
            yield Leaf(path, one.name, one.metadata["row"], one.metadata["kind"])
        elif "options" in one.metadata:
            yield from leaves(one.metadata["options"], (*path, one.name))


def build(
    options: type[Any], values: dict[tuple[str, ...], Any], path: tuple[str, ...] = ()
) -> Any:
    """The options with `values` by path; what is not there has its default."""
    given = {}
    for one in fields(options):
        here = (*path, one.name)
        if "options" in one.metadata:
            given[one.name] = build(one.metadata["options"], values, here)
        elif here in values:
            given[one.name] = values[here]
    return options(**given)

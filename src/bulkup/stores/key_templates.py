"""Keys by a template: `{taken:%Y}/{taken:%m}/{name}`. Pure.

| field | |
| --- | --- |
| taken | when the picture was taken, with strftime's numeric directives: `{taken:%Y-%m-%d}` |
| name, stem, ext | the file's name; without its extension; the extension alone, in lower case |
| folder | the folder below the root, which may be several levels |
| camera | make and model; `unknown` without |
| digest | the SHA-256; `{digest:.8}` is the beginning of it |
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, NamedTuple

from bulkup.model import Digest

FIELDS: Final = ("taken", "name", "stem", "ext", "folder", "camera", "digest")
UNDATED: Final = "undated"
"""The folder of what has no date, in place of each part of a key that names one."""

UNKNOWN: Final = "unknown"

_DIRECTIVES: Final = re.compile(r"(?:%[YymdHMSj]|[^%/{}])+").fullmatch
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_ARCHIVE: Final = re.compile(r"(\.(?:zip|tgz|tar|tar\.gz))#", re.IGNORECASE)
_DIGITS: Final = re.compile(r"\.?\d{1,2}").fullmatch


class KeyFacts(NamedTuple):
    """What a picture says of itself before it is sent."""

    taken: datetime | None = None  # by the camera's clock
    camera: str | None = None


def is_template(layout: str) -> bool:
    """Whether a layout is a template, and not the name of one."""
    return "{" in layout


def check_template(template: str) -> None:
    """Raise ValueError, with the list of fields, for a template that cannot be used."""
    from string import Formatter

    names = set()
    try:
        pieces = list(Formatter().parse(template))
    except ValueError as error:
        raise _wrong(f"{error}") from error
    for _, name, form, conversion in pieces:
        if name is None:
            continue
        if name not in FIELDS:
            raise _wrong(f"there is no field {{{name}}}")
        if conversion or (form and not _is_form(name, form)):
            raise _wrong(f"{{{name}:{form or '!' + (conversion or '')}}} is no way to write it")
        names.add(name)
    if not names & {"name", "stem", "digest"}:
        raise _wrong("without {name}, {stem} or {digest} all files have one key")
    if template.lstrip("/").startswith(".bulkup"):
        raise _wrong(".bulkup/ is bulkup's own")


def templated_key(template: str, path: str, digest: Digest, facts: KeyFacts) -> str:
    """The key of a file, below the destination's prefix. `path` is relative to the root; a member
    of an archive has its archive and '#' in it."""
    folder, _, name = _ARCHIVE.sub(r"\1/", path).rpartition("/")
    stem, dot, ext = name.rpartition(".")
    if not (dot and stem):
        stem, ext = name, ""
    values = {
        "name": _safe(name),
        "stem": _safe(stem),
        "ext": _safe(ext.lower()) if ext else "",
        "folder": "/".join(
            _safe(part) for part in folder.split("/") if part not in ("", ".", "..")
        ),
        "camera": _safe(facts.camera or UNKNOWN),
    }
    parts: list[str] = []
    for part in template.split("/"):
        text = _filled(part, values, digest, facts.taken)
        if text == UNDATED and parts[-1:] == [UNDATED] and "{taken" in part:
            continue
        parts += [one for one in text.split("/") if one not in ("", ".", "..")]
    return "/".join(parts)


def _filled(part: str, values: dict[str, str], digest: Digest, taken: datetime | None) -> str:
    """One part of the key. A part that names a date is UNDATED where there is none, unless the
    file's name is in it, too."""
    from string import Formatter

    filled, is_dated, is_named = "", False, False
    for literal, name, form, _ in Formatter().parse(part):
        filled += literal
        if name == "taken":
            is_dated = True
            filled += UNDATED if taken is None else taken.strftime(form or "%Y-%m-%d")
        elif name == "digest":
            filled += format(digest, form or "")
            is_named = True
        elif name is not None:
            filled += values[name]
            is_named = is_named or name in ("name", "stem")
    return UNDATED if is_dated and taken is None and not is_named else filled.rstrip(".")


def _is_form(name: str, form: str) -> bool:
    if name == "taken":
        return _DIRECTIVES(form) is not None
    return name == "digest" and _DIGITS(form) is not None and form.startswith(".")


def _safe(text: str) -> str:
    """The text as a part of a key that every file system can hold."""
    return _UNSAFE.sub("_", text).strip(" ").rstrip(".") or "_"


def _wrong(what: str) -> ValueError:
    fields = ", ".join(f"{{{field}}}" for field in FIELDS)
    return ValueError(f"{what}. Fields: {fields}; dates as {{taken:%Y-%m}}")

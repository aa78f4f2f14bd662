"""The tables of XMP sidecars, and the triggers that say which are to be read.

    sidecar         the facts of a file, corrected by the XMP files beside it
    sidecar_unread  files whose sidecars are new, changed or gone since they were read

A sidecar belongs to one file: of two equal files in two folders each has its own. It is called
like the file, with or without its extension, then `.xmp`. Names are compared as they are, in lower
and in upper case, with a capital, and with an extension in either case, as a comparison without
case could use no index.
"""

from __future__ import annotations

_IS_SIDECAR = "lower(substr(new.name, -4)) = '.xmp'"

_IN_CASES = ("{}", "lower({})", "upper({})")
_CAPITALISED = "upper(substr({0}, 1, 1)) || lower(substr({0}, 2))"
_ENDINGS = ("xmp", "XMP", "Xmp")


def _stem(name: str) -> str:
    """Up to and with the last dot."""
    return f"rtrim({name}, replace({name}, '.', ''))"


def _in_cases(name: str) -> tuple[str, ...]:
    """Forms of a name that may have an extension, whose case may differ from the rest's."""
    stem = _stem(name)
    extension = f"substr({name}, length({stem}) + 1)"
    return (
        *(form.format(name) for form in (*_IN_CASES, _CAPITALISED)),
        *(f"{stem} || {case}({extension})" for case in ("lower", "upper")),
    )


def _mark_pictures(names: tuple[str, ...], bases: tuple[str, ...]) -> str:
    """Of the sidecar `new`: pictures that have one of the names, or begin with a base and a dot."""
    # What follows the dot in the order of bytes is the slash.
    conditions = (
        *(f"name = {name}" for name in names),
        *(f"name > {base} || '.' AND name < {base} || '/'" for base in bases),
    )
    return (
        "INSERT OR IGNORE INTO sidecar_unread "
        + " UNION ALL ".join(  # with OR, SQLite searches the whole folder
            "SELECT picture_asset.id FROM asset AS picture_asset "
            f"WHERE folder_id = new.folder_id AND {condition} AND EXISTS "
            "(SELECT 1 FROM picture WHERE picture.content_id = picture_asset.content_id)"
            for condition in conditions
        )
        + ";"
    )


def _mark_if_there_is_one(bases: tuple[str, ...]) -> str:
    names = ", ".join(f"{base} || '{ending}'" for base in bases for ending in _ENDINGS)
    return (
        "INSERT OR IGNORE INTO sidecar_unread SELECT picture_asset.id FROM asset AS picture_asset "
        "WHERE {picture} AND EXISTS (SELECT 1 FROM asset AS file "
        "WHERE file.folder_id = picture_asset.folder_id AND file.missing_at IS NULL "
        f"AND file.name IN ({names}));"
    )


_TRIGGERS = (
    "sidecar_added", "sidecar_changed", "sidecar_forgotten", "sidecar_of_other_content",
    "sidecar_of_picture",
)  # fmt: skip


def _triggers(mark_pictures: str, mark_if_there_is_one: str) -> str:
    of_content = mark_if_there_is_one.format(
        picture="picture_asset.id = new.id AND EXISTS "
        "(SELECT 1 FROM picture WHERE picture.content_id = new.content_id)"
    )
    of_picture = mark_if_there_is_one.format(picture="picture_asset.content_id = new.content_id")
    return f"""
CREATE TRIGGER sidecar_added AFTER INSERT ON asset WHEN {_IS_SIDECAR} BEGIN
  {mark_pictures}
END;
CREATE TRIGGER sidecar_changed AFTER UPDATE OF content_id, missing_at ON asset
WHEN {_IS_SIDECAR} BEGIN
  {mark_pictures}
END;
CREATE TRIGGER sidecar_forgotten AFTER DELETE ON asset
WHEN {_IS_SIDECAR.replace("new.", "old.")} BEGIN
  {mark_pictures.replace("new.", "old.")}
END;
CREATE TRIGGER sidecar_of_other_content AFTER UPDATE OF content_id ON asset
WHEN old.content_id <> new.content_id
AND EXISTS (SELECT 1 FROM picture WHERE content_id IN (old.content_id, new.content_id)) BEGIN
  DELETE FROM sidecar WHERE asset_id = new.id;
  DELETE FROM sidecar_unread WHERE asset_id = new.id;
  {of_content}
  INSERT OR IGNORE INTO sidecar_unread SELECT new.id FROM picture
    WHERE picture.content_id = new.content_id AND (
      EXISTS (SELECT 1 FROM takeout_partner WHERE asset_id = new.id AND note_id IS NOT NULL)
      OR picture.taken_at IS NULL AND new.name GLOB '*[12][09][0-9][0-9]*');
END;
CREATE TRIGGER sidecar_of_picture AFTER INSERT ON picture BEGIN
  {of_picture}
END;
"""


_BASE = "substr(new.name, 1, length(new.name) - 4)"
_BASES = tuple(form.format(_BASE) for form in _IN_CASES)
_NAME = "picture_asset.name"
_SIDECAR_BASES = tuple(
    form.format(base) for base in (f"{_NAME} || '.'", _stem(_NAME)) for form in _IN_CASES
)

SIDECARS = f"""
CREATE TABLE sidecar (
  asset_id INTEGER PRIMARY KEY REFERENCES asset (id) ON DELETE CASCADE,
  taken_at TEXT,                   -- these replace the columns of `picture`
  latitude REAL,
  longitude REAL,
  altitude_metres REAL,
  rating INTEGER,
  title TEXT,
  description TEXT,
  keywords TEXT,
  taken_from TEXT                  -- exif, xmp, takeout, video, name
);
CREATE TABLE sidecar_unread (
  asset_id INTEGER PRIMARY KEY REFERENCES asset (id) ON DELETE CASCADE
);
{_triggers(_mark_pictures(_BASES, _BASES), _mark_if_there_is_one(_SIDECAR_BASES))}"""

# The first triggers knew names in one case only: not `Photo.jpg.xmp` for `Photo.JPG`.
_MARK_IN_MIXED_CASE = _mark_if_there_is_one(
    (
        *(f"{form} || '.'" for form in _in_cases(_NAME)),
        *(form.format(_stem(_NAME)) for form in (*_IN_CASES, _CAPITALISED)),
    )
)
MIXED_CASE = (
    "".join(f"DROP TRIGGER {name};" for name in _TRIGGERS)
    + _triggers(
        _mark_pictures(_in_cases(_BASE), (*_BASES, _CAPITALISED.format(_BASE))),
        _MARK_IN_MIXED_CASE,
    )
    + _MARK_IN_MIXED_CASE.format(
        picture="picture_asset.missing_at IS NULL "
        "AND folder_id IN (SELECT folder_id FROM asset WHERE lower(substr(name, -4)) = '.xmp') "
        "AND NOT EXISTS (SELECT 1 FROM sidecar WHERE asset_id = picture_asset.id) "
        "AND EXISTS (SELECT 1 FROM picture WHERE picture.content_id = picture_asset.content_id)"
    )
)

# Of every new file: `lower` and `substr` took three times as many instructions.
SUFFIX_FIRST = f"""
DROP TRIGGER sidecar_added;
CREATE TRIGGER sidecar_added AFTER INSERT ON asset WHEN CAST(new.name AS TEXT) LIKE '%.xmp' BEGIN
  {_mark_pictures(_in_cases(_BASE), (*_BASES, _CAPITALISED.format(_BASE)))}
END;
"""

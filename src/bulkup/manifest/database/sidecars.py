"""The tables of XMP sidecars, and the triggers that say which are to be read.

    sidecar         the facts of a file, corrected by the XMP files beside it
    sidecar_unread  files whose sidecars are new, changed or gone since they were read

A sidecar belongs to one file: of two equal files in two folders each has its own. It is called
like the file, with or without its extension, then `.xmp`. Names are compared as they are, in lower
and in upper case, as a comparison without case could use no index.
"""

from __future__ import annotations

_IS_SIDECAR = "lower(substr(new.name, -4)) = '.xmp'"

_BASES = tuple(
    form.format("substr(new.name, 1, length(new.name) - 4)")
    for form in ("{}", "lower({})", "upper({})")
)
_MARK_PICTURES = (
    "INSERT OR IGNORE INTO sidecar_unread "
    + " UNION ALL ".join(  # with OR, SQLite searches the whole folder
        "SELECT picture_asset.id FROM asset AS picture_asset "
        f"WHERE folder_id = new.folder_id AND {condition} AND EXISTS "
        "(SELECT 1 FROM picture WHERE picture.content_id = picture_asset.content_id)"
        for base in _BASES
        # What follows the dot in the order of bytes is the slash.
        for condition in (f"name = {base}", f"name > {base} || '.' AND name < {base} || '/'")
    )
    + ";"
)

_NAME = "picture_asset.name"
_STEM = f"rtrim({_NAME}, replace({_NAME}, '.', ''))"  # up to and with its last dot
_SIDECAR_NAMES = ", ".join(
    form.format(base) + f" || '{ending}'"
    for base in (f"{_NAME} || '.'", _STEM)
    for form in ("{}", "lower({})", "upper({})")
    for ending in ("xmp", "XMP", "Xmp")
)
_MARK_IF_THERE_IS_ONE = (
    "INSERT OR IGNORE INTO sidecar_unread SELECT picture_asset.id FROM asset AS picture_asset "
    "WHERE {picture} AND EXISTS (SELECT 1 FROM asset AS file "
    "WHERE file.folder_id = picture_asset.folder_id AND file.missing_at IS NULL "
    f"AND file.name IN ({_SIDECAR_NAMES}));"
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
CREATE TRIGGER sidecar_added AFTER INSERT ON asset WHEN {_IS_SIDECAR} BEGIN
  {_MARK_PICTURES}
END;
CREATE TRIGGER sidecar_changed AFTER UPDATE OF content_id, missing_at ON asset
WHEN {_IS_SIDECAR} BEGIN
  {_MARK_PICTURES}
END;
CREATE TRIGGER sidecar_forgotten AFTER DELETE ON asset
WHEN {_IS_SIDECAR.replace("new.", "old.")} BEGIN
  {_MARK_PICTURES.replace("new.", "old.")}
END;
CREATE TRIGGER sidecar_of_other_content AFTER UPDATE OF content_id ON asset
WHEN old.content_id <> new.content_id
AND EXISTS (SELECT 1 FROM picture WHERE content_id IN (old.content_id, new.content_id)) BEGIN
  DELETE FROM sidecar WHERE asset_id = new.id;
  DELETE FROM sidecar_unread WHERE asset_id = new.id;
  {
    _MARK_IF_THERE_IS_ONE.format(
        picture="picture_asset.id = new.id AND EXISTS "
        "(SELECT 1 FROM picture WHERE picture.content_id = new.content_id)"
    )
}
  INSERT OR IGNORE INTO sidecar_unread SELECT new.id FROM picture
    WHERE picture.content_id = new.content_id AND (
      EXISTS (SELECT 1 FROM takeout_partner WHERE asset_id = new.id AND note_id IS NOT NULL)
      OR picture.taken_at IS NULL AND new.name GLOB '*[12][09][0-9][0-9]*');
END;
CREATE TRIGGER sidecar_of_picture AFTER INSERT ON picture BEGIN
  {_MARK_IF_THERE_IS_ONE.format(picture="picture_asset.content_id = new.content_id")}
END;
"""

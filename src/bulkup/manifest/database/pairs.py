"""The view of pairs: files that are one picture, by what is in them and never by name alone."""

from __future__ import annotations

_RAW = (
    "'3FR', 'ARW', 'CR2', 'CR3', 'CRW', 'DCR', 'DNG', 'ERF', 'IIQ', 'KDC', 'MEF', 'MOS', 'MRW', "
    "'NEF', 'NRW', 'ORF', 'PEF', 'RAF', 'RW2', 'RWL', 'SR2', 'SRF', 'SRW', 'X3F'"
)
_STEM = "rtrim({0}, replace({0}, '.', ''))"  # up to and with the last dot
_BARE = "substr({0}, 1, length({0}) - 1)".format(_STEM.format("other.name"))


def _path(of: str) -> str:
    folder, name = f"{of}_folder.path", f"{of}.name"
    return (
        f"CASE WHEN 'blob' IN (typeof({folder}), typeof({name})) "
        f"THEN CAST({folder} || {name} AS BLOB) ELSE {folder} || {name} END"
    )


def _joined(of: str) -> str:
    """The content, folder and root of an asset."""
    return (
        f"JOIN content AS {of}_content ON {of}_content.id = {of}.content_id "
        f"JOIN folder AS {of}_folder ON {of}_folder.id = {of}.folder_id "
    )


def _pair(kind: str, found: str, where: str) -> str:
    """`found` names the assets `shown` and `other` and their pictures."""
    return (
        f"SELECT '{kind}' AS kind, root.path AS root, {_path('shown')} AS path, "
        f"{_path('other')} AS partner, lower(hex(shown_content.digest)) AS digest, "
        f"lower(hex(other_content.digest)) AS partner_digest FROM {found} "
        f"{_joined('shown')} {_joined('other')} JOIN root ON root.id = shown_folder.root_id "
        f"WHERE {where}"
    )


_SAME_MOMENT = "substr(shown_picture.taken_at, 1, 19) = substr(other_picture.taken_at, 1, 19)"
"""By the camera's clock."""


def _in_folder(kind: str, names: str, formats: str) -> str:
    """Files of one folder whose names belong together, and that were taken in one moment."""
    found = (
        "asset AS other JOIN picture AS other_picture USING (content_id) "
        f"JOIN asset AS shown ON shown.folder_id = other.folder_id AND {names} "
        "JOIN picture AS shown_picture ON shown_picture.content_id = shown.content_id"
    )
    return _pair(kind, found, f"{_SAME_MOMENT} AND {formats}")


_RAW_PAIR = _in_folder(
    "raw",
    f"shown.name > {_STEM.format('other.name')} AND shown.name < {_BARE} || '/'",
    f"other_picture.format IN ({_RAW}) AND shown_picture.format IN ('JPEG', 'HEIF')",
)
_PHONE_EDIT = _in_folder(
    "edit",
    # IMG_1234.HEIC and IMG_E1234.JPG or .HEIC: what an iPhone exports of an edited picture
    "other.name GLOB 'IMG_[0-9][0-9][0-9][0-9].*' "
    "AND shown.name > 'IMG_E' || substr(other.name, 5, 5) "
    "AND shown.name < 'IMG_E' || substr(other.name, 5, 4) || '/'",
    "1",
)
_NAMED_EDIT = _in_folder(
    "edit",
    f"shown.name > {_BARE} || '-edited.' AND shown.name < {_BARE} || '-edited/'",
    "1",
)
# IMG-edited(1).jpg is made of IMG(1).jpg, and LONG(1).jpg, whose mark was cut off, of LONG.jpg
_OPENED = f"rtrim({_BARE}, replace({_BARE}, '(', ''))"  # up to and with the last bracket
_UNNUMBERED = f"substr({_BARE}, 1, length({_OPENED}) - 1)"
_NUMBER = f"substr({_BARE}, length({_OPENED}))"
_SHOWN_BARE = "substr({0}, 1, length({0}) - 1)".format(_STEM.format("shown.name"))
_IS_EDIT = (
    f"(shown.name > {_BARE} || '-' AND shown.name < {_BARE} || '.' "
    f"OR {_BARE} LIKE '%(%)' AND shown.name > {_UNNUMBERED} || '-' "
    f"AND shown.name < {_UNNUMBERED} || '.' "
    f"AND substr({_SHOWN_BARE}, -length({_NUMBER})) = {_NUMBER} "
    f"OR {_SHOWN_BARE} = {_BARE} || '(1)')"
)
_NOTED_EDIT = _pair(
    "edit",
    # Google Takeout: one JSON for the original and for IMG-bearbeitet.jpg, in whatever part
    "takeout_partner AS shown_note JOIN takeout_partner AS other_note "
    "ON other_note.note_id = shown_note.note_id AND other_note.asset_id <> shown_note.asset_id "
    "JOIN asset AS shown ON shown.id = shown_note.asset_id "
    "JOIN asset AS other ON other.id = other_note.asset_id "
    "JOIN picture AS shown_picture ON shown_picture.content_id = shown.content_id "
    "JOIN picture AS other_picture ON other_picture.content_id = other.content_id",
    f"coalesce({_SAME_MOMENT}, 1) AND {_IS_EDIT} AND shown.content_id <> other.content_id",
)
_LIVE = _pair(
    "live",
    "picture AS other_picture JOIN picture AS shown_picture "
    "ON shown_picture.live_id = other_picture.live_id "
    "JOIN asset AS other ON other.content_id = other_picture.content_id "
    "JOIN asset AS shown ON shown.content_id = shown_picture.content_id",
    "other_picture.live_id IS NOT NULL AND other_content.media_type LIKE 'video/%' "
    "AND shown_content.media_type LIKE 'image/%' AND shown_folder.root_id = other_folder.root_id",
)
_BURST = _pair(
    "burst",
    "picture AS other_picture JOIN picture AS shown_picture "
    "ON shown_picture.burst_id = other_picture.burst_id "
    "JOIN asset AS other ON other.content_id = other_picture.content_id "
    "JOIN asset AS shown ON shown.content_id = shown_picture.content_id "
    "AND shown.folder_id = other.folder_id",
    "other_picture.burst_id IS NOT NULL AND shown.id <> other.id AND shown.name = "
    "(SELECT min(name) FROM asset JOIN picture USING (content_id) "
    "WHERE burst_id = other_picture.burst_id AND folder_id = other.folder_id)",
)
_MOTION = (
    f"SELECT 'motion', root.path, {_path('shown')}, NULL, lower(hex(shown_content.digest)), NULL "
    f"FROM picture JOIN asset AS shown ON shown.content_id = picture.content_id {_joined('shown')} "
    "JOIN root ON root.id = shown_folder.root_id WHERE motion_bytes IS NOT NULL"
)
PAIRS = f"{_NAMED_EDIT} UNION {_NOTED_EDIT} UNION ALL " + " UNION ALL ".join(
    (_RAW_PAIR, _PHONE_EDIT, _LIVE, _BURST, _MOTION)
)

NOTED_EDITS = f"DROP VIEW pairs; CREATE VIEW pairs AS {PAIRS};"
"""For manifests with the former view."""

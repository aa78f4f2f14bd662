"""Where a file is in its export, whatever part holds it.

An export comes in parts, `takeout-20240131T101112Z-001.zip` and so on, and a picture may be in
another part than its JSON. All parts have the same folders below `Takeout/`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from unicodedata import normalize

_PART: Final = re.compile(
    # A second download is `… (1).zip`; a Mac unpacks each part into a folder of its name.
    r"(?:.*/)?(takeout-\d{8}T\d{6}Z)(?:-\d+)*(?: ?\(\d+\)| \d+)?(?:\.(?:zip|tgz|tar\.gz|tar)#|/)",
    re.IGNORECASE | re.DOTALL,
).match
# A Mac unpacks the second part beside the first as `Takeout 2`, Windows as `Takeout (2)`.
_TOP: Final = re.compile(r"Takeout(?: \d+| ?\(\d+\))?/")
_YEAR: Final = re.compile(
    r"(?:Photos from|Photos de|Photos du|Fotos von|Fotos aus|Fotos de|Fotos del|Foto del|Foto dal|"
    r"Foto's uit|Foto's van|Foton från|Bilder fra|Billeder fra|Zdjęcia z|Fotky z|Fotografie z|"
    r"Fotky z roku|Fotografie z roku|Kuvat|Kuvat vuodelta|Fényképek|Fotoğraflar|Foto dari|"
    r"Fotografii din|Φωτογραφίες από το|Ảnh từ năm|Фото за|Фото з|Фотографии за|Фотографії за)"
    r"\s+\d{4}$|^\d{4}\s*(?:年の写真|年的照片|年的相片|년의 사진|년 사진)$"
).match


class ExportPlace(NamedTuple):
    """A file of an export. `folder` is '' or ends in '/'."""

    export: str
    folder: str
    name: str


def place_in_export(root: str, path: str) -> ExportPlace:
    """The place of the file at `path` below `root`; of a member, `path` has its archive and '#'.

    Parts with the name of one export belong together wherever they lie, also when they were
    unpacked into folders of their names. Any other folder or archive with an export is named by
    its path (see `parts`), and so is any other root.
    """
    whole = f"{root.rstrip('/')}/{path}"
    part = _PART(whole)
    inner = whole[part.end() :] if part is not None else whole
    before, top, inside = _divided(inner)
    if part is not None:
        export, inside = part[1].lower(), inside if top else inner
    elif top:
        export = before
    else:
        export, inside = root, path
    folder, slash, name = inside.rpartition("/")
    return ExportPlace(export, folder + slash, name)


def _divided(path: str) -> tuple[str, str, str]:
    """What is before the export's top folder, that folder, and what is inside; all before without
    one. The parts may lie in a folder that is called Takeout, too, and so may an album. A numbered
    top folder counts as one that the top folder is in: it may be of another export."""
    tops = list(_TOP.finditer(path))
    if not tops:
        return path, "", ""
    top = next((one for one in reversed(tops) if "/" in path[one.end() :]), tops[0])
    before = path[: top.start() if top[0] == "Takeout/" else top.end()]
    return before, top[0], path[top.end() :]


def is_year_folder(folder: str) -> bool:
    """Whether a folder holds all pictures of a year, and is no album."""
    name = folder.rstrip("/").rpartition("/")[2]
    return _YEAR(name if name.isascii() else normalize("NFC", name)) is not None


def may_be_note(path: str) -> bool:
    """Whether a JSON file may belong to an export, by its path."""
    return path[-5:].lower() == ".json" and (
        _TOP.search(path) is not None or _MEDIA(path.rpartition("/")[2]) is not None
    )


_MEDIA: Final = re.compile(
    r".*\.(?:jpe?g|hei[cf]|png|gif|webp|avif|tiff?|dng|raw|cr[23]|nef|arw|mp4?|m4v|mov|avi|3gp|mkv|mpg)"
    r"(?:[.(][^/]*)?\.json$",
    re.IGNORECASE,
).match

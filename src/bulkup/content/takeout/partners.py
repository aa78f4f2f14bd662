"""Which JSON file belongs to which picture of one folder.

What Takeout does to names, and what is done about it:

- `.json`, or `.supplemental-metadata.json` or that in the user's language, follows the whole name
  of the picture. What is before `.json` is cut after 46 characters, so the file's name has 51;
- a picture's name is cut, too: 47 characters, then its extension;
- of pictures with one name in a folder, the second is `IMG(1).jpg`, and its JSON
  `IMG.jpg(1).json` or `IMG.jpg.supplemental-metadata(1).json`: the number is never cut;
- an edited picture (`IMG-edited.jpg`, or that in the user's language) and the video of a live
  picture (`IMG.MP4` beside `IMG.HEIC`) have no JSON of their own.

Each JSON repeats the name that the picture had when it was uploaded. It must agree: a wrong partner
is worse than none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

CUT: Final = 46
_STEM: Final = 47
_NUMBERED: Final = re.compile(r"(.*)\((\d+)\)", re.DOTALL).fullmatch
_WORD: Final = re.compile(r"[^.()]*").fullmatch
_KEY: Final = 12  # characters by which notes are found; names differ in what follows
_EDITED: Final = (
    *("edited", "bearbeitet", "modifié", "editado", "editada", "modificato", "bewerkt", "編集済み"),
    *("edytowane", "redigerad", "redigeret", "redigert", "muokattu", "upraveno", "szerkesztett"),
    *(
        "düzenlendi",
        "изменено",
        "измененный",
        "editat",
        "έχει υποστεί επεξεργασία",
        "已修改",
        "已编辑",
    ),
    *("已編輯", "수정됨", "ha editado", "hat bearbeitet", "a modifié", "effects", "smile", "mix"),
)
_VIDEOS: Final = frozenset({"mp4", "mov", "mp", "mv", "m4v"})


class _Form(NamedTuple):
    """A name that the JSON may be made of: `exactly`, or with another extension."""

    name: str
    number: int
    any_extension: bool = False


def find_partners(pictures: Iterable[str], notes: Mapping[str, str]) -> dict[str, str]:
    """The name of the JSON for each picture that has one.

    `notes` are the titles inside the JSON files, by the files' names. One may belong to several
    pictures: the original, the edited one and the video.
    """
    index = _Index(notes)
    found = {}
    for picture in pictures:
        for form in _forms(picture):
            note = index.find(form)
            if note is not None:
                found[picture] = note
                break
    return found


def _forms(picture: str) -> Iterator[_Form]:
    """The names that the JSON may be made of, the most specific first."""
    stem, dot, extension = picture.rpartition(".")
    if not dot:
        stem, extension = picture, ""
    ending = dot + extension
    numbered = _NUMBERED(stem)
    if not (numbered and len(stem) > _STEM):  # else the number was added after the cut
        yield _Form(picture, 0)
    if numbered:
        yield _Form(numbered[1] + ending, int(numbered[2]))
    plain, number = (numbered[1], int(numbered[2])) if numbered else (stem, 0)
    for original in _unedited(plain):
        for base in (_NUMBERED(original),):
            if base and not numbered:  # IMG(1)-edited.jpg
                yield _Form(base[1] + ending, int(base[2]))
        yield _Form(original + ending, number)
        yield _Form(original + ending, number, any_extension=True)
    if extension.lower() in _VIDEOS:
        yield _Form(picture, 0, any_extension=True)
        if numbered:
            yield _Form(numbered[1] + ending, number, any_extension=True)
    elif dot:  # uploaded as HEIC, exported as JPEG
        yield _Form(plain + ending, number, any_extension=True)


def _unedited(stem: str) -> Iterator[str]:
    """The stem of the picture that this one was edited from."""
    original, dash, word = stem.rpartition("-")
    if not (dash and original):
        return
    is_cut = len(stem) >= _STEM - 1 and bool(word)  # the word was cut off with the name
    word = word.lower()
    if any(word == one or (is_cut and one.startswith(word)) for one in _EDITED):
        yield original


class _Note(NamedTuple):
    """A JSON file; `base` is its name without number and `.json`. With `is_whole`, the number is
    a part of the picture's own name."""

    base: str
    file: str
    title: str
    is_whole: bool = False


class _Index:
    """The notes of one folder."""

    def __init__(self, notes: Mapping[str, str]) -> None:
        self._notes: dict[tuple[int, str], list[_Note]] = defaultdict(list)
        for file, title in notes.items():
            stem = file[: -len(".json")]
            numbered = _NUMBERED(stem)
            if numbered:
                self._add(int(numbered[2]), _Note(numbered[1], file, title))
            self._add(0, _Note(stem, file, title, is_whole=numbered is not None))

    def _add(self, number: int, note: _Note) -> None:
        self._notes[number, note.base[:_KEY].casefold()].append(note)

    def find(self, form: _Form) -> str | None:
        """The JSON that is made of the name; None when there is none, or more than one."""
        stem = form.name.rpartition(".")[0] or form.name
        keys = {form.name[:_KEY].casefold(), (stem + ".")[:_KEY].casefold(), stem[:_KEY].casefold()}
        if form.any_extension and len(stem) < _KEY:
            pool = [
                one
                for (number, key), some in self._notes.items()
                if number == form.number and key.startswith(stem.casefold())
                for one in some
            ]
        else:
            pool = [one for key in keys for one in self._notes.get((form.number, key), ())]
        matches = {
            note.file: _rank(note.base, form.name)
            for note in pool
            if (
                note.base in (form.name, stem)
                if note.is_whole
                else _is_made_of(note.base, form, stem)
            )
            and _agrees(note.title, form, stem)
        }
        best = [file for file, rank in matches.items() if rank == max(matches.values())]
        return best[0] if len(best) == 1 else None


def _rank(base: str, name: str) -> tuple[bool, int]:
    """What is the name itself comes first, then what has more of it."""
    common = 0
    for one, other in zip(base, name, strict=False):
        if one != other:
            break
        common += 1
    return base == name, common


def _is_made_of(base: str, form: _Form, stem: str) -> bool:
    """Whether the name of a JSON, without number and `.json`, is made of a picture's name."""
    name = form.name
    if form.any_extension:
        rest = base[len(stem) :]
        if base.startswith(stem) and rest.startswith(".") and len(rest.split(".")) <= 3:
            return True
        return base == stem or (len(base) >= CUT and stem.startswith(base))
    if base in (name, stem):
        return True
    if len(base) >= CUT and name.startswith(base):
        return True
    if base.startswith(f"{name}."):
        return _WORD(base[len(name) + 1 :]) is not None
    head, _, word = base.rpartition(".")  # the extension was cut, and the word follows
    return len(head) > len(stem) and name.startswith(head) and _WORD(word) is not None


def _agrees(title: str, form: _Form, stem: str) -> bool:
    """Whether the name that the picture had when it was uploaded is the one in its export."""
    wanted, found = _plain(form.name), _plain(title)
    found_stem = _plain(title.rpartition(".")[0] or title)
    stem = _plain(stem)
    if wanted == found or stem in (found, found_stem):
        return True
    if form.any_extension and wanted == found_stem:  # PXL_1.MP beside PXL_1.MP.jpg
        return True
    return len(stem) >= CUT and found_stem.startswith(stem[:CUT])


def _plain(name: str) -> str:
    """The name without what Takeout replaces: all but letters and digits is one character."""
    return "".join(c if c.isalnum() else "_" for c in name.casefold())

"""Which JSON file belongs to which picture of one folder.

What Takeout does to names, and what is done about it:

- `.json`, or `.supplemental-metadata.json` or that in the user's language, follows the whole name
  of the picture. What is before `.json` is cut after 46 characters, so the file's name has 51;
- a picture's name is cut, too: 47 characters, then its extension. An emoji counts as two;
- of pictures with one name in a folder, the second is `IMG(1).jpg`, and its JSON
  `IMG.jpg(1).json` or `IMG.jpg.supplemental-metadata(1).json`: the number is never cut. Some
  exports and programs have `IMG(1).jpg.json`;
- an edited picture (`IMG-edited.jpg`, or that in the user's language) and the video of a live
  picture (`IMG.MP4` beside `IMG.HEIC`) have no JSON of their own; what Google made of a picture
  (`IMG-COLLAGE.jpg`, `IMG-ANIMATION.gif`) often has none either. Where `-edited` is cut off as a
  whole, the edited picture of `LONG.jpg` is `LONG(1).jpg`.

Each JSON repeats the name that the picture had when it was uploaded. Where it does, it must agree:
a wrong partner is worse than none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple
from unicodedata import normalize

CUT: Final = 46
_STEM: Final = 47
_NUMBERED: Final = re.compile(r"(.*)\((\d+)\)", re.DOTALL).fullmatch
_WORD: Final = re.compile(r"[^.()]*").fullmatch
_KEY: Final = 20  # characters by which long names are found
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
    *("已編輯", "编辑", "수정됨", "ha editado", "hat bearbeitet", "a modifié", "змінено", "diedit"),
    *("upravené", "uređeno", "редактирано", "แก้ไขแล้ว", "נערך", "đã chỉnh sửa"),
    *("szerkesztve", "urejeno", "muudetud", "redaguota", "відредаговано", "отредактировано"),
    *("effects", "smile", "mix", "collage", "animation", "motion", "pano"),  # in all languages
)


class _Form(NamedTuple):
    """A name that a JSON may be made of, exactly or with another extension."""

    name: str
    number: int
    any_extension: bool = False
    uploaded_as: str = ""  # without a number that is in `name`


class _Name(NamedTuple):
    """A picture's name without the number that Takeout may have given it."""

    stem: str
    ending: str  # '' or the extension with its dot
    number: int

    @property
    def whole(self) -> str:
        return self.stem + self.ending


def find_partners(pictures: Iterable[str], notes: Mapping[str, str]) -> dict[str, str]:
    """The name of the JSON for each picture that has one.

    `notes` are the titles inside the JSON files, by the files' names. One may belong to several
    pictures: the original, the edited one and the video. Names may be NFC or NFD: unpacked on a
    Mac they are the latter, and the titles the former.
    """
    files = {_composed(file): file for file in notes}
    index = _Index({_composed(file): _composed(title) for file, title in notes.items()})
    found: dict[str, str] = {}
    cut: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for picture in pictures:
        composed = _composed(picture)
        name = _name_of(composed)
        if _fills(name.whole, CUT + 1) and not any(True for _ in _unedited(name.stem)):
            cut[name.whole].append((name.number, picture))
            continue
        for level in _levels(composed, name):
            matches = {note for form in level for note in index.find(form)}
            if matches:
                if len(matches) == 1:
                    found[picture] = matches.pop()
                break
    for whole, some in cut.items():
        is_full = _fills(whole.rpartition(".")[0] or whole, _STEM)
        found |= _paired(some, index.find_cut(whole), is_full=is_full)
    return {picture: files[note] for picture, note in found.items()}


def _composed(name: str) -> str:
    return name if name.isascii() else normalize("NFC", name)


def _fills(text: str, most: int) -> bool:
    """Whether it may be what is left of a longer text, cut after `most` characters. Google counts
    in UTF-16, where an emoji has two, which are not separated."""
    if text.isascii():
        return len(text) >= most
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    return units >= most - (units > len(text))


def _paired(
    pictures: list[tuple[int, str]], notes: list[tuple[int, str]], *, is_full: bool
) -> dict[str, str]:
    """The pictures of one long name with the JSON files that are made of it, in the order of their
    numbers: other names that are equal up to the cut have numbers in between. One JSON for two
    pictures is that of a picture and of its edited one."""
    if len(notes) == 1 and is_full and [number for number, _ in sorted(pictures)] == [0, 1]:
        notes = notes * 2
    if len(pictures) != len(notes):
        return {}
    pairs = zip(sorted(pictures), sorted(notes), strict=True)
    return {picture: note for (_, picture), (_, note) in pairs}


def _name_of(picture: str) -> _Name:
    stem, dot, extension = picture.rpartition(".")
    if not dot:
        stem, extension = picture, ""
    numbered = _NUMBERED(stem)
    if numbered:
        return _Name(numbered[1], dot + extension, int(numbered[2]))
    return _Name(stem, dot + extension, 0)


def _levels(picture: str, name: _Name) -> Iterator[list[_Form]]:
    """The names that the JSON may be made of. Those of a level are equally likely: if two have a
    JSON, none is taken."""
    stem, ending, number = name
    yield [_Form(picture, 0, uploaded_as=name.whole if number else "")]
    if number:
        yield [_Form(name.whole, number)]
    for original in _unedited(stem):
        inner = _NUMBERED(original)
        likely = [_Form(original + ending, number)]
        if number:  # the original may have been called so when it was uploaded
            likely.append(_Form(f"{original}({number}){ending}", 0))
        elif inner:  # IMG(1)-edited.jpg
            likely.append(_Form(inner[1] + ending, int(inner[2])))
        yield likely
        yield [form._replace(any_extension=True) for form in likely]
    # PXL_1.MP and PXL_1.MP~2, the videos of PXL_1.MP.jpg and PXL_1.MP~2.jpg
    yield [_Form(f"{name.whole}.jpg", number, any_extension=True)]
    any_extension = [_Form(name.whole, number, any_extension=True)]
    if number:
        any_extension.append(_Form(picture, 0, any_extension=True))
    yield any_extension


def _unedited(stem: str) -> Iterator[str]:
    """The stems of the pictures that this one was edited from: `IMG-EFFECTS-edited` from
    `IMG-EFFECTS`, and that from `IMG`."""
    original, dash, word = stem.rpartition("-")
    if not (dash and original):
        return
    is_cut = _fills(stem, _STEM - 1) and bool(word)  # the word was cut off with the name
    word = word.lower()
    if any(word == one or (is_cut and one.startswith(word)) for one in _EDITED):
        yield original
        yield from _unedited(original)


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
        self._cut: dict[str, list[tuple[int, _Note]]] = defaultdict(list)
        for file, title in notes.items():
            stem = file[: -len(".json")]
            numbered = _NUMBERED(stem)
            if numbered:
                self._add(int(numbered[2]), _Note(numbered[1], file, title))
            self._add(0, _Note(stem, file, title, is_whole=numbered is not None))

    def _add(self, number: int, note: _Note) -> None:
        self._notes[number, _key(note.base)].append(note)
        if _fills(note.base, CUT) and not note.is_whole:
            self._cut[note.base[:_KEY].casefold()].append((number, note))

    def find(self, form: _Form) -> list[str]:
        """The JSON files that are made of the name, the likeliest ones."""
        stem = form.name.rpartition(".")[0] or form.name
        pool = self._notes.get((form.number, _key(form.name)), ())
        matches = {
            note.file: _rank(note.base, form.name)
            for note in pool
            if _is_made_of(note, form, stem) and _agrees(note.title, form, stem)
        }
        return [file for file, rank in matches.items() if rank == max(matches.values())]

    def find_cut(self, name: str) -> list[tuple[int, str]]:
        """Number and name of the JSON files made of a name that is longer than what is kept of it:
        the number says nothing, the title does."""
        stem, dot, extension = name.rpartition(".")
        if not dot:
            stem, extension = name, ""
        wanted = _plain(stem)
        found = []
        for number, note in self._cut.get(name[:_KEY].casefold(), ()):
            title, _, title_ending = (note.title or name).rpartition(".")
            is_same = _plain(title).startswith(wanted) and title_ending == extension
            is_other = not _fills(stem, _STEM) and _plain(title) != wanted
            if is_same and not is_other and name.startswith(note.base):
                found.append((number, note.file))
        return found


def _key(name: str) -> str:
    """What the names of a picture and of its JSON have in common."""
    return name.partition(".")[0].casefold()


def _rank(base: str, name: str) -> tuple[bool, int]:
    """What is the name itself comes first, then what has more of it."""
    common = 0
    for one, other in zip(base, name, strict=False):
        if one != other:
            break
        common += 1
    return base == name, common


def _is_made_of(note: _Note, form: _Form, stem: str) -> bool:
    """Whether the name of a JSON, without number and `.json`, is made of a picture's name."""
    name, base = form.name, note.base
    if note.is_whole:
        return base in (name, stem)
    if form.any_extension:
        rest = base[len(stem) :]
        if base.startswith(stem) and rest.startswith(".") and len(rest.split(".")) <= 3:
            return True
        return base == stem or (_fills(base, CUT) and stem.startswith(base))
    if base in (name, stem):
        return True
    if _fills(base, CUT) and name.startswith(base):
        return True
    if base.startswith(f"{name}."):
        return _WORD(base[len(name) + 1 :]) is not None
    head, _, word = base.rpartition(".")  # the extension was cut, and the word follows
    return len(head) > len(stem) and name.startswith(head) and _WORD(word) is not None


def _agrees(title: str, form: _Form, stem: str) -> bool:
    """Whether the name that the picture had when it was uploaded is the one in its export. Where
    the JSON has none, its own name must be made of the picture's whole name."""
    if not title:
        return not form.any_extension
    wanted, found = _plain(form.name), _plain(title)
    if form.uploaded_as and found == _plain(form.uploaded_as):
        return True
    found_stem = _plain(title.rpartition(".")[0] or title)
    is_full = _fills(stem, CUT)
    stem = _plain(stem)
    if wanted == found or stem in (found, found_stem):
        return True
    if form.any_extension and wanted == found_stem:  # PXL_1.MP beside PXL_1.MP.jpg
        return True
    return is_full and found_stem.startswith(stem[:CUT])


def _plain(name: str) -> str:
    """The name without what Takeout replaces: all but letters and digits is one character."""
    return "".join(c if c.isalnum() else "_" for c in name.casefold())

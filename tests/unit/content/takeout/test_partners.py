"""Which JSON file belongs to which picture: names as exports have them."""

from __future__ import annotations

from unicodedata import normalize

import pytest

from bulkup.content.takeout.partners import find_partners

WORD = ".supplemental-metadata"
LONG = "a very long name of a picture from a camera of 2019 and more.jpg"
X40 = "x" * 40
CUT_PICTURE = LONG[:47] + ".jpg"


@pytest.mark.parametrize(
    ("picture", "note", "title"),
    [
        ("IMG_1.jpg", "IMG_1.jpg.json", "IMG_1.jpg"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json", "IMG_1.jpg"),
        ("IMG_1.jpg", "IMG_1.jpg.zusatzmetadaten.json", "IMG_1.jpg"),
        ("IMG_1.JPG", "IMG_1.JPG.supplemental-meta.json", "IMG_1.JPG"),
        ("IMG(1).jpg", "IMG.jpg(1).json", "IMG.jpg"),
        ("IMG(12).jpg", "IMG.jpg.supplemental-metadata(12).json", "IMG.jpg"),
        ("IMG(1).jpg", "IMG(1).jpg.json", "IMG(1).jpg"),
        (CUT_PICTURE, LONG[:46] + ".json", LONG),
        (CUT_PICTURE[:-4] + "(1).jpg", LONG[:46] + "(1).json", LONG),
        (f"{X40}.jpg", f"{X40}.jpg.supplemental-metadata"[:46] + ".json", f"{X40}.jpg"),
        ("x" * 44 + ".jpg", ("x" * 44 + ".jpg")[:46] + ".json", "x" * 44 + ".jpg"),
        ("IMG_1-edited.jpg", "IMG_1.jpg.json", "IMG_1.jpg"),
        ("IMG_1-bearbeitet.jpg", "IMG_1.jpg.supplemental-metadata.json", "IMG_1.jpg"),
        ("IMG_1-modifié.jpg", "IMG_1.HEIC.json", "IMG_1.HEIC"),
        ("IMG-edited(1).jpg", "IMG.jpg(1).json", "IMG.jpg"),
        ("IMG(1)-edited.jpg", "IMG.jpg(1).json", "IMG.jpg"),
        ("IMG_1.MP4", "IMG_1.HEIC.json", "IMG_1.HEIC"),
        ("IMG_1.MOV", "IMG_1.JPG.supplemental-metadata.json", "IMG_1.JPG"),
        ("IMG_1(1).MP4", "IMG_1.HEIC(1).json", "IMG_1.HEIC"),
        ("PXL_1.MP", "PXL_1.MP.jpg.json", "PXL_1.MP.jpg"),
        ("IMG_1.jpg", "IMG_1.HEIC.json", "IMG_1.HEIC"),
        ("no extension.jpg", "no extension.json", "no extension"),
        ("Tom _ Jerry_.jpg", "Tom _ Jerry_.jpg.json", "Tom & Jerry?.jpg"),
        (f"{X40}N1.JPG", f"{X40}N1.JP.supplemental-meta.json", f"{X40}N1.JPG"),
        ("写真.jpg", "写真.jpg.json", "写真.jpg"),
        ("🎉" * 23 + "☺.jpg", "🎉" * 23 + ".json", "🎉" * 23 + "☺☺☺🎉.jpg"),
        ("a" + "🎉" * 23 + ".jpg", "a" + "🎉" * 22 + ".json", "a" + "🎉" * 40 + ".jpg"),
        ("a" + "🎉" * 20 + ".jpg", "a" + "🎉" * 20 + ".jpg.json", "a" + "🎉" * 20 + ".jpg"),
        ("a" + "🎉" * 19 + ".jpg", "a" + "🎉" * 19 + ".jpg.su.json", "a" + "🎉" * 19 + ".jpg"),
        ("27_06_12 - 1.mov", "27_06_12 - 1.mov.json", "27/06/12 - 1"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json", ""),
        ("IMG_1(1).jpg", "IMG_1.jpg(1).json", ""),
        (CUT_PICTURE, LONG[:46] + ".json", ""),
        ("IMG_1(1).jpg", "IMG_1(1).jpg.supplemental-metadata.json", "IMG_1.jpg"),
        ("IMG_1(1).jpg", "IMG_1(1).jpg.json", "IMG_1.jpg"),
    ],
)  # fmt: skip
def test_a_picture_finds_its_json(picture: str, note: str, title: str) -> None:
    others = {"other.jpg.json": "other.jpg", "IMG_11.jpg.json": "IMG_11.jpg"}
    assert find_partners([picture], {**others, note: title}) == {picture: note}


@pytest.mark.parametrize(
    ("picture", "notes"),
    [
        ("IMG_1.jpg", {"IMG_11.jpg.json": "IMG_11.jpg"}),
        ("IMG_11.jpg", {"IMG_1.jpg.json": "IMG_1.jpg"}),
        ("IMG.jpg", {"IMG.jpg(1).json": "IMG.jpg"}),
        ("IMG(1).jpg", {"IMG.jpg.json": "IMG.jpg"}),
        ("IMG(2).jpg", {"IMG.jpg(1).json": "IMG.jpg"}),
        ("a.jpg", {"a.jpg.json": "quite another.jpg"}),
        ("a-b.jpg", {"a.jpg.json": "a.jpg"}),
        ("IMG_1.MP4", {"IMG_1.HEIC.json": "IMG_1.HEIC", "IMG_1.JPG.json": "IMG_1.JPG"}),
        ("IMG_1.MP4", {"IMG_1.HEIC.json": ""}),
        ("IMG(1).jpg", {"IMG(1).jpg.json": "another.jpg"}),
        ("IMG(1).jpg", {"IMG(2).jpg.json": "IMG.jpg"}),
        (CUT_PICTURE[:-4] + "(1).jpg", {f"{LONG[:46]}(1).json": "a very long name.jpg"}),
    ],
)
def test_no_partner_is_better_than_a_wrong_one(picture: str, notes: dict[str, str]) -> None:
    assert find_partners([picture], notes) == {}


def test_an_edited_picture_whose_mark_was_cut_off_has_the_json_of_the_original() -> None:
    pictures = [CUT_PICTURE, CUT_PICTURE[:-4] + "(1).jpg"]
    note = LONG[:46] + ".json"
    assert find_partners(pictures, {note: LONG}) == dict.fromkeys(pictures, note)
    assert find_partners([*pictures, CUT_PICTURE[:-4] + "(2).jpg"], {note: LONG}) == {}
    shorter = LONG[:45] + ".jpg"  # there was room for a part of the mark
    pictures = [shorter, shorter[:-4] + "(1).jpg"]
    assert find_partners(pictures, {shorter[:46] + ".json": shorter}) == {}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("note_form", ["NFC", "NFD"])
def test_names_are_composed_before_they_are_compared(form: str, note_form: str) -> None:
    """A Mac unpacks names as NFD; the titles stay NFC."""
    picture, edited = (normalize(form, name) for name in ("Été.jpg", "Été-modifié.jpg"))
    note = normalize(note_form, "Été.jpg.supplemental-metadata.json")
    found = find_partners([picture, edited], {note: "Été.jpg"})
    assert found == {picture: note, edited: note}


def test_each_motion_photo_has_its_own_video() -> None:
    """PXL_1.MP and PXL_1.MP~2 begin alike, and so do their JSON files."""
    notes = {f"PXL_1.MP{two}.jpg{WORD}.json": f"PXL_1.MP{two}.jpg" for two in ("", "~2")}
    pictures = ["PXL_1.MP", "PXL_1.MP.jpg", "PXL_1.MP~2", "PXL_1.MP~2.jpg"]
    first, second = notes
    assert find_partners(pictures, notes) == dict(
        zip(pictures, (first, first, second, second), strict=True)
    )


@pytest.mark.parametrize(
    "word", ["змінено", "diedit", "upravené", "uređeno", "редактирано", "แก้ไขแล้ว", "נערך", "编辑"]
)
def test_edited_in_more_languages(word: str) -> None:
    notes = {f"IMG_7.jpg{WORD}.json": "IMG_7.jpg"}
    assert find_partners([f"IMG_7-{word}.jpg"], notes) == {f"IMG_7-{word}.jpg": next(iter(notes))}


@pytest.mark.parametrize(
    "word",
    [
        *("EFFECTS", "SMILE", "MIX", "COLLAGE", "ANIMATION", "MOTION", "PANO", "EFFECTS-edited"),
        *("edited", "bearbeitet", "modifié", "editado", "ha editado", "编辑"),
    ],
)
def test_what_was_made_of_a_picture_has_its_json(word: str) -> None:
    """With numbers at either place, in other formats, cut off, and with an own JSON."""
    base, long = "IMG_1", "A name as long as some apps give, 40 chars"[:40]
    assert_partner(f"{base}-{word}.jpg", f"{base}.jpg{WORD}.json", f"{base}.jpg")
    assert_partner(f"{base}-{word}.gif", f"{base}.jpg.json", f"{base}.jpg")
    assert_partner(f"{base}-{word}(2).jpg", f"{base}.jpg{WORD}(2).json", f"{base}.jpg")
    assert_partner(f"{base}(2)-{word}.jpg", f"{base}.jpg{WORD}(2).json", f"{base}.jpg")
    note, cut = f"{long}.jpg{WORD}"[:46], f"{long}-{word}"[:47]
    assert_partner(f"{cut}.jpg", f"{note}.json", f"{long}.jpg")
    assert_partner(f"{cut}(1).jpg", f"{note}(1).json", f"{long}.jpg")
    own = f"{base}-{word}.jpg"
    notes = {f"{base}.jpg.json": f"{base}.jpg", f"{own}{WORD}.json": own}
    assert find_partners([own], notes) == {own: f"{own}{WORD}.json"}
    number = {f"{base}.jpg(1).json": f"{base}.jpg"}
    assert find_partners([own, f"{base}(2)-{word}.jpg", f"{base}-{word}(2).jpg"], number) == {}


def assert_partner(picture: str, note: str, title: str) -> None:
    """The note is the picture's, whatever others there are."""
    others = {"other.jpg.json": "other.jpg", "IMG_11.jpg.json": "IMG_11.jpg"}
    others |= {"IMG_1.jpg(7).json": "IMG_1.jpg", "IMG_1.png.json": "IMG_2.png"}
    assert find_partners([picture], {**others, note: title}) == {picture: note}


def test_all_of_a_folder() -> None:
    """A picture, its edited one and its video share a JSON; namesakes have their own."""
    notes = {
        "IMG_1.HEIC.json": "IMG_1.HEIC",
        "IMG_1.HEIC(1).json": "IMG_1.HEIC",
        "IMG_1.MP4.json": "IMG_1.MP4",
        f"{LONG[:46]}.json": LONG,
        f"{LONG[:46]}(1).json": LONG,
    }
    pictures = [
        *("IMG_1.HEIC", "IMG_1-edited.HEIC", "IMG_1(1).HEIC", "IMG_1.MP4", "IMG_1(1).MP4"),
        *(CUT_PICTURE, CUT_PICTURE[:-4] + "(1).jpg"),
    ]
    assert list(find_partners(pictures, notes).items()) == [
        ("IMG_1.HEIC", "IMG_1.HEIC.json"),
        ("IMG_1-edited.HEIC", "IMG_1.HEIC.json"),
        ("IMG_1(1).HEIC", "IMG_1.HEIC(1).json"),
        ("IMG_1.MP4", "IMG_1.MP4.json"),
        ("IMG_1(1).MP4", "IMG_1.HEIC(1).json"),
        (CUT_PICTURE, f"{LONG[:46]}.json"),
        (CUT_PICTURE[:-4] + "(1).jpg", f"{LONG[:46]}(1).json"),
    ]

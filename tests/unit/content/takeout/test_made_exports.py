"""Exports made by the rules that are known of Takeout: almost every picture finds its own JSON, and
none another's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import pytest

from bulkup.content.takeout.partners import find_partners

WORDS = ("supplemental-metadata", "zusätzliche-metadaten", "", "")
EDITED = ("edited", "bearbeitet", "modifié", "editado")
LONG = "holiday pictures of all of us at the sea in the very"


class Made(NamedTuple):
    """One folder: its pictures with the JSON that each belongs to, and the titles in the JSON."""

    pictures: dict[str, str]
    notes: dict[str, str]


def titles(random: Random, count: int) -> Iterator[str]:
    """Names of files as they were uploaded: many twice, many long, many alike."""
    for number in range(count):
        ending = random.choice(("jpg", "JPG", "HEIC", "png", "mp4"))
        yield random.choice(
            (
                f"IMG_{random.randrange(count)}.{ending}",
                f"IMG_{random.randrange(30)}.{ending}",
                f"IMG_{random.randrange(30)}({random.randrange(1, 4)}).{ending}",
                f"2019-03-17 12.34.{number % 60:02}.{ending}",
                f"Tom & Jerry {random.randrange(50)}?.{ending}",
                f"写真 {random.randrange(50)}.{ending}",
                f"{LONG[: random.randrange(38, 53)]}{random.randrange(40)}.{ending}",
                f"{LONG} {random.randrange(40)}.{ending}",
                f"{''.join(random.choices('🎉🥳é☺', k=random.randrange(15, 30)))}.{ending}",
            )
        )


def sanitised(title: str) -> str:
    return "".join("_" if c in '&?:*"<>|/\\' else c for c in title)


def cut(text: str, most: int) -> str:
    """What is left of a name; characters are counted in UTF-16, and pairs stay together."""
    return text.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")


def numbered(stem: str, ending: str, taken: Counter[str]) -> str:
    """The first free name; the number stands before the ending."""
    name = (stem + ending).casefold()
    taken[name] += 1
    number = taken[name] - 1
    return f"{stem}({number}){ending}" if number else stem + ending


def make(random: Random, count: int) -> Made:
    """A folder of an export."""
    made = Made({}, {})
    files, notes = Counter[str](), Counter[str]()
    word = random.choice(WORDS)
    for title in titles(random, count):
        stem, _, extension = sanitised(title).rpartition(".")
        ending = f".{extension}"
        picture = numbered(cut(stem, 47), ending, files)
        base = f"{sanitised(title)}.{word}" if word else sanitised(title)
        note = numbered(cut(base, 46), ".json", notes)
        if picture in made.pictures or note in made.notes:
            continue  # as it were on two days
        made.pictures[picture] = note
        made.notes[note] = title
        if random.random() < 0.1:
            shown, _, _ = picture.rpartition(".")
            head, mark, number = shown.rpartition("(")
            plain, tail = (head, mark + number) if number[:-1].isdigit() else (shown, "")
            edited = f"{plain}-{random.choice(EDITED)}"[:47] + tail + ending
            if "-" in edited and edited not in made.pictures and len(plain) < 36:
                made.pictures[edited] = note
    return made


@pytest.mark.parametrize("seed", range(20))
def test_no_picture_gets_another_ones_json(seed: int) -> None:
    """Each finds the one that was made for it."""
    made = make(Random(seed), 500)
    found = find_partners(made.pictures, made.notes)
    wrong = {
        picture: (note, made.pictures[picture])
        for picture, note in found.items()
        if note != made.pictures[picture]
    }
    assert wrong == {}
    assert len(found) / len(made.pictures) >= 0.99

"""Words of paths, cameras and lenses, and dates."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.search.literal_match import MONTHS, Date, Described, Typed, Word, typed
from bulkup.search.texts import Texts, matches


def counts(text: str, *pictures: Described) -> list[int]:
    asked = typed(text)
    terms = [*asked.dates, *(Word((word,)) for word in asked.words)]
    return matches(terms, pictures).tolist()


def is_match(text: str, path: str = "a.jpg", **said: str) -> bool:
    """Whether the picture matches every term of `text`."""
    asked = typed(text)
    (count,) = counts(text, Described(path, **said))
    return count == len(asked.dates) + len(asked.words) > 0


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024", Date(2024)),
        ("2019-05", Date(2019, 5)),
        ("2019-05-17", Date(2019, 5, 17)),
        ("2019/05/17", Date(2019, 5, 17)),
        ("2019.05", Date(2019, 5)),
        ("may", Date(None, 5)),
        ("May 2019", Date(2019, 5)),
        ("2019 may", Date(2019, 5)),
        ("17 May 2019", Date(2019, 5, 17)),
        ("May 17, 2019", Date(2019, 5, 17)),
        ("may 17th", Date(None, 5, 17)),
        ("1st sep", Date(None, 9, 1)),
        ("Sept. 2001", Date(2001, 9)),
    ],
)
def test_dates_are_read_as_people_type_them(text: str, date: Date) -> None:
    assert typed(text) == typed(text.upper())
    assert typed(text).dates == (date,)
    assert typed(text).words == ()


@pytest.mark.parametrize("text", ["5d", "17", "12345", "2019-13", "0815", "f/2.8", "24-70mm"])
def test_other_numbers_are_words(text: str) -> None:
    assert typed(text).dates == ()
    assert typed(text).words != ()


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("16.5.2002", Date(2002, 5, 16)),
        ("16/05/2002", Date(2002, 5, 16)),
        ("05/16/2002", Date(2002, 5, 16)),
        ("5/5/2002", Date(2002, 5, 5)),
        ("05/06/2002", Date(2002)),
        ("16-05-2002", Date(2002, 5, 16)),
        ("20020516", Date(2002, 5, 16)),
        ("2002-5-6", Date(2002, 5, 6)),
        ("5/2002", Date(2002, 5)),
        ("16th of May 2002", Date(2002, 5, 16)),
        ("16. Mai 2002", Date(2002, 5, 16)),
        ("16 de mayo de 2002", Date(2002, 5, 16)),
        ("août 2002", Date(2002, 8)),
        ("16 мая 2002", Date(2002, 5, 16)),
        ("2002年5月16日", Date(2002, 5, 16)),
    ],
)
def test_dates_are_read_in_numbers_and_in_other_languages(text: str, date: Date) -> None:
    assert typed(text) == Typed((), (date,))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mars", ("mars",)),
        ("1/250", ("1", "250")),
        ("24-70", ("24-70",)),
        ("2002-13", ("2002-13",)),
        ("king of spades", ("king", "of", "spades")),
    ],
)
def test_what_only_looks_like_a_date_is_words(text: str, words: tuple[str, ...]) -> None:
    assert typed(text) == Typed(words, ())


def test_emoji_are_words() -> None:
    assert typed("\N{CAT FACE}").words == ("cat",)
    assert typed("my\N{DOG}2019") == Typed(("my", "dog"), (Date(2019),))
    assert typed("\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}").words == ("heart",)
    assert typed("\N{REGIONAL INDICATOR SYMBOL LETTER F}").words == ()


def test_words_around_a_date_stay() -> None:
    asked = typed("A cat's beach, May 2019 (Canon EOS 5D)")
    assert asked.words == ("a", "cat", "beach", "canon", "eos", "5d")
    assert asked.dates == (Date(2019, 5),)


def test_a_month_alone_is_a_word_as_well_except_may() -> None:
    assert typed("december").words == ("december",)
    assert typed("december 2020").words == ()
    assert typed("may").words == ()


@given(st.dates())
def test_every_day_is_matched_by_its_year_month_and_day_and_by_no_other(day: object) -> None:
    from datetime import date, timedelta

    assert isinstance(day, date)
    if not 1800 <= day.year < 2199 or day.year == 1800:
        return
    taken_at = f"{day.isoformat()}T12:00:00+02:00"
    month = MONTHS[day.month - 1]
    for text in (f"{day.year}", f"{day:%Y-%m}", f"{day}", f"{month} {day.year}"):
        assert is_match(text, taken_at=taken_at)
    assert is_match(f"{day.day} {month} {day.year}", taken_at=taken_at)
    assert not is_match(str(day + timedelta(days=1)), taken_at=taken_at)
    assert not is_match(str(day.year - 1), taken_at=taken_at)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("2019", "2019/05/a.jpg"),
        ("2019-05", "2019/05/a.jpg"),
        ("may 2019", "trips/2019-05 rome/a.jpg"),
        ("2019-05-17", "IMG_20190517_101500.jpg"),
        ("2019", "IMG_20190517_101500.jpg"),
        ("may 2019", "PXL 2019.05.17.jpg"),
    ],
)
def test_a_path_may_name_the_date(text: str, path: str) -> None:
    assert is_match(text, path)


@pytest.mark.parametrize(
    ("text", "path"), [("2019", "IMG_120190.jpg"), ("2019-05", "2019/06/05.jpg"), ("may", "05.jpg")]
)
def test_other_digits_name_none(text: str, path: str) -> None:
    assert not is_match(text, path)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("beach", "Holidays/Beach/a.jpg"),
        ("beach", "BeachTrip/a.jpg"),
        ("beach", "beach2019.jpg"),
        ("beach", "at_the_beaches.jpg"),
        ("trip", "trips/a.jpg"),
        ("daisy", "daisies.png"),
        ("img", "IMG_2041.JPG"),
        ("2041", "IMG_2041.JPG"),
        ("beachtrip", "BeachTrip/a.jpg"),
        ("müller", unicodedata.normalize("NFD", "Herr Müller.jpg")),
        ("東京", "東京旅行/a.jpg"),
        ("my holiday", "My holiday pictures (copy 2)/a.jpg"),
        ("a", "\udcff a.jpg"),  # bytes that are no UTF-8
    ],
)
def test_a_whole_word_of_the_path_matches(text: str, path: str) -> None:
    assert is_match(text, path)


@pytest.mark.parametrize(
    ("text", "path"), [("cat", "concatenate.jpg"), ("art", "party/a.jpg"), ("5d", "35d.jpg")]
)
def test_a_piece_of_a_word_does_not(text: str, path: str) -> None:
    assert not is_match(text, path)


def test_camera_and_lens_match() -> None:
    said = {"camera": "Canon EOS 5D Mark IV", "lens": "EF24-70mm f/2.8L"}
    for text in ("canon", "EOS 5d", "mark iv", "24", "70mm", "canon 2.8l"):
        assert is_match(text, **said), text
    assert not is_match("nikon", **said)
    assert not is_match("cano", **said)


def test_each_term_counts_once() -> None:
    pictures = [
        Described("cat/cat.jpg", camera="Cat S60", taken_at="2019-05-17T10:00:00"),
        Described("dog.jpg", taken_at="2019-05-17T10:00:00"),
        Described("dog.jpg"),
    ]
    assert counts("cat 2019", *pictures) == [2, 1, 0]
    assert counts("", *pictures) == [0, 0, 0]
    assert counts("cat") == []


@given(st.text(), st.text(), st.text())
def test_any_text_can_be_asked_of_any_path(text: str, path: str, camera: str) -> None:
    (count,) = counts(text, Described(path, camera))
    asked = typed(text)
    assert 0 <= count <= len(asked.words) + len(asked.dates)


@given(st.from_regex(r"[a-z]{3,10}", fullmatch=True), st.sampled_from("/_- .()0123456789"))
def test_a_word_between_signs_or_digits_is_found(word: str, sign: str) -> None:
    assert is_match_of(word, f"x{sign}{word}{sign}y")
    assert not is_match_of(word, f"x{word}{sign}y")


def is_match_of(word: str, path: str) -> bool:
    return matches([Word((word,))], [Described(path)]).tolist() == [1]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("cafe", "Café München.jpg"),
        ("munchen", "Cafe\u0301 Mu\u0308nchen.jpg"),
        ("koln", "Büro Köln.jpg"),
        ("zoe", "Zoë & Chloë.jpg"),
        ("ete", "L'été.jpg"),
        ("pruhonice", "Průhonice.jpg"),
        ("simtadienis", "šimtadienis.jpg"),
        ("Café", "cafe.jpg"),
        ("lodz", "Łódź.jpg"),
        ("strasse", "Straße.jpg"),
        ("東京", "東京タワー.jpg"),
    ],
)
def test_accents_make_no_difference(text: str, path: str) -> None:
    assert is_match(text, path)


@pytest.mark.parametrize(
    ("text", "taken_at"),
    [("1988", "1988"), ("1988", "1988-12"), ("december 1988", "1988-12"),
     ("1988-12-01", "1988-12-01")],
)  # fmt: skip
def test_a_date_that_is_known_in_part_matches(text: str, taken_at: str) -> None:
    assert is_match(text, taken_at=taken_at)


def test_a_part_of_a_date_does_not_match_a_finer_query() -> None:
    assert not is_match("1988-12", taken_at="1988")
    assert not is_match("1988-12-01", taken_at="1988-12")


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.builds(
                Described,
                st.text("aby2019/-é\0 B", max_size=12),
                st.sampled_from([None, "Canon EOS 5D", "bay"]),
                taken_at=st.sampled_from([None, "2019-05-17T10:00:00", "2019"]),
            ),
        ),
        max_size=8,
    ),
    st.sampled_from(["y", "bay", "baby 2019", "a b", "2019-05", "éa", "canon 5d", "ab-ab"]),
    st.sets(st.integers(0, 7)),
)
def test_texts_together_are_matched_as_each_alone(
    pictures: list[Described | None], text: str, hidden: set[int]
) -> None:
    """Whether a picture stands beside others, is put in the place of another, or is left out."""
    asked = typed(text)
    terms = [*asked.dates, *(Word((word,)) for word in asked.words)]
    alone = [0 if one is None else int(matches(terms, [one])[0]) for one in pictures]
    texts = Texts(pictures)
    assert texts.counts(terms).tolist() == alone
    shown = [None if at in hidden and at % 2 else one for at, one in enumerate(pictures)]
    others = {
        at: Described("bay/2019.jpg")
        for at, one in enumerate(pictures)
        if one is not None and at in hidden and not at % 2
    }
    some = texts.only([one is not None for one in shown], others)
    expected = [
        0 if one is None else int(matches(terms, [others.get(at, one)])[0])
        for at, one in enumerate(shown)
    ]
    assert some.counts(terms).tolist() == expected
    assert texts.counts(terms).tolist() == alone

"""IPTC blocks: encodings, padding, and dates in every spelling."""

from __future__ import annotations

import io
import struct

import pytest

from bulkup.content.picture.facts.iptc import appended_iptc, iptc_facts
from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.types import Picture
from tests.unit.content.picture.made import iptc, saved, scene


def data_set(number: int, data: bytes, record: int = 2) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(data)) + data


@pytest.mark.parametrize(
    ("escape", "encoding", "title"),
    [
        (b"\x1b%G", "utf-8", "Zanzib\u00e4r"),
        (b"", "utf-8", "Zanzib\u00e4r"),
        (b"", "cp1252", "it\u2019s \u201cA\u201d"),
        (b"\x1b.A", "latin-1", "Zanzib\u00e4r"),
        (b"\x1b-A", "latin-1", "Zanzib\u00e4r"),
        (b"\x1b.B", "iso8859-2", "\u0141\u00f3d\u017a"),
        (b"\x1b-L", "iso8859-5", "\u041c\u043e\u0441\u043a\u0432\u0430"),
        (b"\x1b-F", "iso8859-7", "\u0391\u03b8\u03ae\u03bd\u03b1"),
        (b"\x1b.b", "iso8859-15", "50 \u20ac"),
        (b"?", "cp1252", "Zanzib\u00e4r"),
    ],
)
def test_texts_are_in_the_declared_encoding(escape: bytes, encoding: str, title: str) -> None:
    declared = data_set(90, escape, 1) if escape else b""
    assert iptc_facts(declared + data_set(5, title.encode(encoding))).title == title


@pytest.mark.parametrize(
    "block",
    [
        b"\0\0" + data_set(5, b"Boat"),
        data_set(25, b"sea") + b"\0" + data_set(5, b"Boat"),
        data_set(5, b"Boat\0\0"),
        struct.pack(">BBBHI", 0x1C, 2, 120, 0x8004, 3) + b"sea" + data_set(5, b"Boat"),
    ],
)
def test_padding_and_long_lengths_hide_nothing(block: bytes) -> None:
    assert iptc_facts(block).title == "Boat"


@pytest.mark.parametrize(
    ("date", "time", "moment"),
    [
        ("19850704", "120000+0200", "1985-07-04T12:00:00+02:00"),
        ("19850704", "120000", "1985-07-04T12:00:00"),
        ("19850704", "1200", "1985-07-04T12:00:00"),
        ("1985:07:04", "12:00:00+02:00", "1985-07-04T12:00:00+02:00"),
        ("1985-07-04", "12:00:00", "1985-07-04T12:00:00"),
        ("19850704", "      ", "1985-07-04"),
    ],
)
def test_a_date_with_separators_is_read(date: str, time: str, moment: str) -> None:
    assert str(iptc_facts(iptc(d55=date, d60=time)).taken_at) == moment


def with_trailer(file: bytes, block: bytes, order: str = ">", moved: int = 0) -> bytes:
    """A file with the block appended, as if `moved` bytes had been put in since."""
    mark = b"AXS!" if order == ">" else b"AXS*"
    begin = len(file) - moved
    head = mark + struct.pack(order + "HHI", 1, 2, 0)
    data_at = begin + 12 * 3
    directory = struct.pack(
        order + "4sII4sII", b"TEXT", 2, data_at, b"IPTC", len(block), data_at + 2
    )
    return file + head + directory + b"ab" + block + mark + struct.pack(order + "II", begin, 0)


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("moved", [0, 100, -100])
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_a_block_that_is_appended_to_the_file_is_read(kind: str, moved: int, order: str) -> None:
    data = with_trailer(saved(scene(64, 40), kind), iptc(d05="Boat", d55="19850704"), order, moved)
    made = make_variants(data)
    assert isinstance(made, Picture)
    assert (made.metadata.facts.title, str(made.metadata.facts.taken_at)) == ("Boat", "1985-07-04")


def test_a_damaged_trailer_costs_only_itself() -> None:
    data = with_trailer(b"\xff\xd8", iptc(d05="Boat"))
    for cut in range(len(data)):
        block = appended_iptc(io.BytesIO(data[:-12][: len(data) - cut] + data[-12:]))
        assert iptc_facts(block).title in (None, "Boat", "Boa", "Bo", "B")
        assert appended_iptc(io.BytesIO(data[cut:])) in (b"", iptc(d05="Boat"))

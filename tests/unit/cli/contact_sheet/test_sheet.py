"""The contact sheet as text; tests/browser looks at it in a browser."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.cli.contact_sheet.sheet import Frame, Section, Thumb, write_sheet

DIGEST = "ab" * 32
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def written(*sections: Section, title: str = "cat") -> str:
    out = io.BytesIO()
    write_sheet(sections, out, title=title)
    return out.getvalue().decode()


def one(**facts: object) -> str:
    frame = Frame(**{"path": "/photos/cat.jpg", "digest": DIGEST, **facts})  # type: ignore[arg-type]
    return written(Section("", [frame]))


class Tags(HTMLParser):
    """Start tags and attributes as a parser sees them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_frame_shows_what_is_known() -> None:
    page = one(score=0.8312, key="photos/cat.jpg", taken_at="2024-05-03T10:00:00+02:00",
               camera="Canon S40", width_px=4000, height_px=3000, size_bytes=2_202_010)  # fmt: skip
    text = Tags(page).text
    for fact in ("01", "83 %", "cat.jpg", "2024-05-03 · Canon S40", "/photos/cat.jpg", DIGEST,
                 "2024-05-03 10:00:00+02:00", "4000 \N{MULTIPLICATION SIGN} 3000", "2.1 MiB",
                 "photos/cat.jpg", "1 picture"):  # fmt: skip
        assert fact in text


def test_what_is_not_known_is_left_out() -> None:
    page = one()
    assert "None" not in page.replace("'none'", "")
    assert "no thumbnail" in page
    assert "<dt>Camera" not in page
    assert "<dt>Score" not in page


def test_a_score_of_nothing_is_shown() -> None:
    assert "0 %" in one(score=0.0)


def test_a_weak_hit_is_named_so_and_its_reasons_are_shown() -> None:
    text = Tags(one(score=0.2, is_weak=True, reasons=("'cat' is in the path",))).text
    assert "20 % weak" in text
    assert "'cat' is in the path" in text


def test_a_thumbnail_is_inlined_whole() -> None:
    body = bytes(range(256)) * 2000
    tags = Tags(one(thumb=Thumb(body, "image/webp"))).tags
    (source,) = [attrs["src"] for tag, attrs in tags if tag == "img"]
    assert source is not None
    head, _, data = source.partition(",")
    assert head == "data:image/webp;base64"
    assert base64.b64decode(data, validate=True) == body


def test_a_thumbnail_has_a_text_in_its_place() -> None:
    (alt,) = [
        attrs["alt"]
        for tag, attrs in Tags(one(thumb=Thumb(b"x", "image/webp"))).tags
        if tag == "img"
    ]
    assert alt == "cat.jpg"


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", 'image/webp"><script>', ""])
def test_only_pictures_are_inlined(kind: str) -> None:
    page = one(thumb=Thumb(b"<script>alert(1)</script>", kind))
    assert "no thumbnail" in page
    assert "<img" not in page


def test_a_group_has_its_heading_and_its_best() -> None:
    frames = [
        Frame("/a.jpg", DIGEST, is_best=True, width_px=10, height_px=5, size_bytes=100),
        Frame("/b.jpg", DIGEST, score=0.97, taken_at="2024-05-03T10:00:00"),
    ]
    page = written(Section("2 pictures, 1 KiB reclaimable", frames), title="Near-duplicates")
    assert "<h2>2 pictures, 1 KiB reclaimable</h2>" in page
    text = Tags(page).text
    assert "best" in text
    assert "97 %" in text
    assert '<p class="about">10 \N{MULTIPLICATION SIGN} 5 · 100 B</p>' in page


def test_numbers_go_on_from_group_to_group() -> None:
    sections = [Section(str(at), [Frame("/a", DIGEST), Frame("/b", DIGEST)]) for at in range(2)]
    page = written(*sections)
    assert re.findall(r'class="edge"><span>(\d+)', page) == ["01", "02", "03", "04"]
    assert "4 pictures" in page


def test_an_empty_sheet_is_a_sheet() -> None:
    assert "Nothing to show." in written()
    assert "0 pictures" in written(Section("", []))


text = st.text() | st.sampled_from(
    ["<script>", '" onerror="x', "</title>", "</style>", "\udcff", "\u202e", "\x1b[31m", "&amp;"]
)


@given(text, text, text)
def test_no_text_becomes_a_tag_an_attribute_or_a_hidden_character(
    path: str, camera: str, title: str
) -> None:
    plain = written(Section("x", [Frame("p", DIGEST, camera="c")]), title="t")
    frame = Frame(path, DIGEST, camera=camera or "c")
    page = written(Section(title or "x", [frame]), title=title)
    shape = [(tag, sorted(attrs)) for tag, attrs in Tags(page).tags]
    if not path:  # which has no line for the file
        plain = written(Section("x", [Frame("", DIGEST, camera="c")]), title="t")
    assert shape == [(tag, sorted(attrs)) for tag, attrs in Tags(plain).tags]
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", page
    )


def test_the_policy_allows_this_style_and_this_script_alone() -> None:
    page = one()
    (policy,) = [
        attrs["content"]
        for tag, attrs in Tags(page).tags
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (block,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_nothing_in_it_points_elsewhere() -> None:
    page = one(thumb=Thumb(b"x", "image/webp"))
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)
    assert not any(name in attrs for _, attrs in Tags(page).tags for name in ("href", "style"))


class Watched(io.RawIOBase):
    """Remembers how much had been written when it was looked at."""

    def __init__(self) -> None:
        self.size_bytes = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.size_bytes += len(data)
        return len(data)


def test_a_frame_is_written_before_the_next_is_asked_for() -> None:
    out, sizes = Watched(), []

    def frames() -> Iterator[Frame]:
        for number in range(5):
            sizes.append(out.size_bytes)
            yield Frame(f"/{number}", DIGEST, thumb=Thumb(bytes(30_000), "image/webp"))

    sink: BinaryIO = out  # type: ignore[assignment]
    assert write_sheet([Section("", frames())], sink, title="cat") == 5
    assert all(later - earlier > 40_000 for earlier, later in pairwise(sizes))

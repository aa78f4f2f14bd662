"""The contact sheet in a real browser: what it asks for, and what keys do."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from bulkup.cli.contact_sheet.sheet import Frame, Section, Thumb, write_sheet
from tests.servers import chromium, packages
from tests.servers.chromium import ARROWS, END, ENTER, ESCAPE, HOME, Browser

pytestmark = pytest.mark.chromium

HOSTILE = (
    "<script>document.title='taken'</script>",
    '"><img src=x onerror="document.title=\'taken\'">',
    "</title></style><svg onload=alert(1)>",
    "javascript:alert(1)",
    "https://127.0.0.1:9/x.png",
    "\u202egpj.exe",
    "\x1b[31mred\x07",
    "no utf-8 \udcff\udcfe",
    "&lt;&amp;",
    "日本語 \N{CAMERA}",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if packages.missing(chromium.NEEDED):
        pytest.skip("no chromium here (python -m tests.servers.chromium install)")
    with chromium.running() as found:
        yield found


def thumb(number: int) -> Thumb:
    body = io.BytesIO()
    colour = (37 * number % 256, 91 * number % 256, 53 * number % 256)
    Image.new("RGB", (96 + 32 * (number % 3), 96), colour).save(body, "WEBP")
    return Thumb(body.getvalue(), "image/webp")


def frames(count: int) -> list[Frame]:
    return [
        Frame(f"/photos/trip/{number:03}.jpg", "ab" * 32, score=1 - number / 100,
              taken_at=f"2024-05-{number % 28 + 1:02}T10:00:00", camera=f"Camera {number % 4}",
              thumb=thumb(number))
        for number in range(1, count + 1)
    ]  # fmt: skip


def shown(browser: Browser, folder: Path, *sections: Section, title: str = "cat") -> None:
    """Write the sheet, and look at it in a window that has five columns or so."""
    page = folder / "sheet.html"
    with page.open("wb") as out:
        write_sheet(sections, out, title=title)
    browser.resize(1100, 800)
    browser.command("Emulation.setScriptExecutionDisabled", value=False)
    browser.requested(), browser.complaints()
    browser.open(page)


def focused(browser: Browser) -> str | None:
    found: str | None = browser.ask(
        "return document.activeElement.closest('li')?.querySelector('.name').textContent"
    )
    return found


def comes_to(browser: Browser, name: str) -> bool:
    """Whether the focus comes to the picture soon: a dialog tells of its end in a task of its
    own, after the browser has put the focus back where it was before."""
    return any(focused(browser) == name for _ in range(500))


def large(browser: Browser) -> str:
    """The text of the larger view."""
    found: str = browser.ask("return document.querySelector('dialog').innerText")
    return found


def visible(browser: Browser) -> list[str]:
    names: list[str] = browser.ask(
        "return [...document.querySelectorAll('li')].filter(li => li.checkVisibility())"
        ".map(li => li.querySelector('.name').textContent)"
    )
    return names


def test_every_thumbnail_is_drawn_and_nothing_is_fetched(browser: Browser, tmp_path: Path) -> None:
    shown(browser, tmp_path, Section("", frames(30)))
    browser.ask("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    drawn = browser.ask(
        "return Promise.all([...document.images].map(image => image.decode()))"
        ".then(() => [...document.images].map(image => image.naturalWidth))"
    )
    assert len(drawn) == 30
    assert min(drawn) >= 96
    asked = browser.requested()
    assert [url for url in asked if not url.startswith(("file:", "data:image/webp"))] == []
    assert sum(url.startswith("file:") for url in asked) == 1
    assert browser.complaints() == []


def test_names_act_on_nothing(browser: Browser, tmp_path: Path) -> None:
    hits = [
        Frame(f"/{text}", text, key=text, camera=text, taken_at=text, thumb=Thumb(b"x", text))
        for text in HOSTILE
    ]
    sections = [Section(text, [hit]) for text, hit in zip(HOSTILE, hits, strict=True)]
    shown(browser, tmp_path, *sections, title=HOSTILE[0])
    assert browser.ask("return document.title") == HOSTILE[0]
    assert browser.ask("return document.scripts.length") == 1
    assert browser.ask("return document.images.length") == 0
    assert browser.ask("return document.querySelectorAll('li').length") == len(HOSTILE)
    browser.press(ARROWS["right"], ENTER)
    assert (
        browser.ask("return document.querySelector('dialog h3').textContent")
        == (HOSTILE[0].rpartition("/")[2])
    )
    browser.press(ESCAPE)
    names = browser.ask("return [...document.querySelectorAll('.name')].map(e => e.textContent)")
    assert r"\u202egpj.exe" in names
    assert r"no utf-8 \xff\xfe" in names
    assert [url for url in browser.requested() if not url.startswith("file:")] == []
    assert browser.complaints() == []


def test_the_policy_stops_a_script_that_is_not_the_sheets(browser: Browser, tmp_path: Path) -> None:
    shown(browser, tmp_path, Section("", frames(1)))
    browser.ask(
        "for (const [name, set] of [['script', e => { e.textContent = 'window.taken = 1' }],"
        " ['img', e => { e.src = 'http://127.0.0.1:9/a.png' }]]) {"
        " const e = document.createElement(name); set(e); document.body.append(e) }"
    )
    assert browser.ask("return window.taken ?? null") is None
    assert sum("Content Security Policy" in text for text in browser.complaints()) == 2


def test_arrows_move_through_the_rows(browser: Browser, tmp_path: Path) -> None:
    shown(browser, tmp_path, Section("", frames(30)))
    columns = browser.ask(
        "const tops = [...document.querySelectorAll('li')].map(e => e.offsetTop);"
        "return tops.filter(top => top === tops[0]).length"
    )
    assert 3 <= columns <= 8
    browser.press(ARROWS["right"])
    assert focused(browser) == "001.jpg"
    browser.press(ARROWS["right"])
    assert focused(browser) == "002.jpg"
    browser.press(ARROWS["down"])
    assert focused(browser) == f"{2 + columns:03}.jpg"
    browser.press(ARROWS["down"], ARROWS["up"], ARROWS["up"], ARROWS["left"])
    assert focused(browser) == "001.jpg"
    browser.press(ARROWS["left"], ARROWS["up"])
    assert focused(browser) == "001.jpg"  # there is nothing before the first
    browser.press(END)
    assert focused(browser) == "030.jpg"
    inside = "const r = document.activeElement.getBoundingClientRect();"
    assert browser.ask(f"{inside} return r.top >= 0 && r.bottom <= innerHeight")
    browser.press(HOME)
    assert focused(browser) == "001.jpg"


def test_arrows_move_from_group_to_group(browser: Browser, tmp_path: Path) -> None:
    all_ = frames(5)
    shown(browser, tmp_path, Section("first", all_[:3]), Section("second", all_[3:]))
    browser.press(ARROWS["right"], ARROWS["right"], ARROWS["down"])
    assert focused(browser) == "005.jpg"
    browser.press(ARROWS["up"])
    assert focused(browser) == "002.jpg"


def test_enter_shows_one_larger_and_escape_goes_back(browser: Browser, tmp_path: Path) -> None:
    shown(browser, tmp_path, Section("", frames(6)))
    browser.press(ARROWS["right"], ENTER)
    assert browser.ask("return document.querySelector('dialog').open")
    larger = "const i = document.querySelector('dialog img'); const s = document.images[0];"
    assert browser.ask(f"{larger} return i.clientWidth > 1.5 * s.clientWidth")
    assert "/photos/trip/001.jpg" in browser.ask(
        "return document.querySelector('dialog').innerText"
    )
    browser.press(ARROWS["right"], ARROWS["right"])
    assert "/photos/trip/003.jpg" in browser.ask(
        "return document.querySelector('dialog').innerText"
    )
    browser.press(ESCAPE)
    assert not browser.ask("return document.querySelector('dialog').open")
    assert comes_to(browser, "003.jpg")  # where one has got to


def test_a_click_opens_and_the_button_closes(browser: Browser, tmp_path: Path) -> None:
    shown(browser, tmp_path, Section("", frames(3)))
    browser.ask("document.querySelectorAll('.frame')[1].click()")
    assert browser.ask("return document.querySelector('dialog').open")
    browser.ask("document.querySelector('.close').click()")
    assert not browser.ask("return document.querySelector('dialog').open")
    assert comes_to(browser, "002.jpg")


def test_slash_filters_by_all_words(browser: Browser, tmp_path: Path) -> None:
    shown(browser, tmp_path, Section("one", frames(8)), Section("two", frames(2)))
    browser.press("/", *"camera 1 05-02")
    assert visible(browser) == ["001.jpg", "001.jpg"]
    assert browser.ask("return document.getElementById('count').textContent") == "2 of 10 shown"
    browser.press(ENTER)
    assert focused(browser) == "001.jpg"
    browser.press("/", *"nothing has this")
    assert visible(browser) == []
    assert not browser.ask("return document.querySelector('h2').checkVisibility()")
    browser.press(ESCAPE)
    assert len(visible(browser)) == 10
    assert focused(browser) == "001.jpg"


def test_tab_reaches_the_filter_and_then_one_picture(browser: Browser, tmp_path: Path) -> None:
    shown(browser, tmp_path, Section("", frames(9)))
    browser.press("\ue004")
    assert browser.ask("return document.activeElement.id") == "filter"
    browser.press("\ue004")
    assert focused(browser) == "001.jpg"


def test_without_a_script_it_can_be_looked_at(browser: Browser, tmp_path: Path) -> None:
    shown(browser, tmp_path)
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    with (tmp_path / "plain.html").open("wb") as out:
        write_sheet([Section("", frames(4))], out, title="cat")
    browser.open(tmp_path / "plain.html")
    try:
        found = browser.command("DOMSnapshot.captureSnapshot", computedStyles=["display"])
        text = " ".join(found["strings"])
        assert "001.jpg" in text
        assert browser.command("Runtime.evaluate", expression="document.documentElement.className")[
            "result"
        ] == {"type": "string", "value": ""}
    finally:
        browser.command("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_it_is_light_or_dark_as_the_reader_likes(
    browser: Browser, tmp_path: Path, scheme: str, dark: bool
) -> None:
    shown(browser, tmp_path, Section("", frames(2)))
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.command("Emulation.setEmulatedMedia", features=[feature])
    with Image.open(io.BytesIO(browser.screenshot())) as image:
        red, green, blue = image.convert("RGB").getpixel((5, 400))
    assert (max(red, green, blue) < 64) is dark
    browser.command("Emulation.setEmulatedMedia", features=[])


def test_a_narrow_window_has_columns_and_no_scrolling_sideways(
    browser: Browser, tmp_path: Path
) -> None:
    long = Frame("/" + "x" * 255, "ab" * 32, camera="y" * 200, thumb=thumb(1))
    shown(browser, tmp_path, Section("z" * 300, [long, *frames(5)]), title="w" * 300)
    browser.command(
        "Emulation.setDeviceMetricsOverride",
        width=360,
        height=740,
        deviceScaleFactor=1,
        mobile=True,
    )
    try:
        assert browser.ask("return document.documentElement.scrollWidth") <= 360
        top = "return [...document.querySelectorAll('li')].slice(0, 2).map(e => e.offsetTop)"
        one, other = browser.ask(top)
        assert one == other
    finally:
        browser.command("Emulation.clearDeviceMetricsOverride")


def test_an_empty_sheet_says_so(browser: Browser, tmp_path: Path) -> None:
    shown(browser, tmp_path, Section("", []))
    assert "Nothing to show." in browser.ask("return document.body.innerText")
    browser.press(ARROWS["right"], END, ENTER)
    assert browser.complaints() == []

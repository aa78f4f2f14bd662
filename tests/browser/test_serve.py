"""The pages of the server in a real browser: keyboard, small screens, dark, without JavaScript."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import axe_core_python
import pytest

from tests.e2e.pictures import photo, sidecar
from tests.servers import chromium, packages
from tests.servers.chromium import ARROWS, ENTER, ESCAPE, Browser
from tests.servers.process import wait_until
from tests.unit.serve.library import Library, pushed

pytestmark = pytest.mark.chromium

MAIN = (sys.executable, "-c", "from bulkup.cli.app import main; main()")
AXE = Path(axe_core_python.__file__).with_name("axe.min.js")
PAGES = (
    "", "?q=trip", "?like={digest}", "picture/{digest}", "duplicates", "activity", "failures",
    "upload", "notifications", "sign-in", "picture/" + "0" * 64,
)  # fmt: skip


class Served(NamedTuple):
    """A server over a library, and a browser that has signed in."""

    url: str
    library: Library
    browser: Browser

    def open(self, path: str) -> None:
        """Show a page of the server."""
        digest = self.library.digest("trip/3.jpg")
        self.browser.open(self.url + path.format(digest=digest))

    def text(self, selector: str) -> str:
        """What an element shows."""
        found: str = self.browser.ask(f"return document.querySelector({selector!r}).innerText")
        return found

    def wait(self, condition: str) -> None:
        """Until the expression is true in the page. Fails after 25 seconds."""
        script = (
            "const until = Date.now() + 25000; return new Promise((resolve) => {"
            f"(function look() {{ if ({condition}) resolve(true); "
            "else if (Date.now() > until) resolve(false); else setTimeout(look, 20); })(); });"
        )
        assert self.browser.ask(script), condition


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if packages.missing(chromium.NEEDED):
        pytest.skip("no chromium here (python -m tests.servers.chromium install)")
    place = tmp_path_factory.mktemp("served")
    library = pushed(place)
    environ = {**os.environ, "BULKUP_HOME": str(place / "home"), "BULKUP_MANIFEST_BACKUP": "never"}
    with subprocess.Popen(
        [*MAIN, "serve", "--port", "0", "--work", "--manifest", str(library.manifest)],
        env=environ, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            link = re.search(r"http://\S+", process.stdout.readline())
            assert link is not None
            with chromium.running() as browser:
                browser.open(link[0])
                yield Served(link[0].partition("sign-in")[0], library, browser)
        finally:
            process.terminate()


@pytest.fixture(autouse=True)
def usual(served: Served) -> Iterator[None]:
    """A desktop in the light, with JavaScript; and nothing that the console complains about."""
    look(served.browser, width=1280)
    served.browser.command("Emulation.setScriptExecutionDisabled", value=False)
    served.browser.requested()
    served.browser.complaints()
    yield
    complaints = [one for one in served.browser.complaints() if "the server responded" not in one]
    assert complaints == []


def look(browser: Browser, *, width: int, height: int = 800, scheme: str = "light") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.command("Emulation.setEmulatedMedia", features=features)
    browser.command(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
    )  # fmt: skip


def violations(browser: Browser) -> list[str]:
    """What axe-core finds on the page that is serious, or against WCAG 2.1 AA."""
    browser.ask(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = json.loads(
        browser.ask(
            "return axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', "
            "'best-practice']}).then((found) => JSON.stringify(found.violations));"
        )
    )
    return [
        f"{one['id']}: {node['html'][:200]} {node.get('failureSummary')}"
        for one in found
        for node in one["nodes"]
        if one["impact"] in ("serious", "critical") or "best-practice" not in one["tags"]
    ]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_a_page(served: Served, path: str, scheme: str) -> None:
    look(served.browser, width=1280, scheme=scheme)
    served.open(path)

    assert violations(served.browser) == []


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("width", [360, 3840])
def test_a_page_fits_small_and_large_screens(served: Served, path: str, width: int) -> None:
    look(served.browser, width=width)
    served.open(path)

    assert served.browser.ask("return document.documentElement.scrollWidth - innerWidth") <= 0
    if not path.startswith("sign-in"):  # every page can be reached, without a bar to scroll by
        cut = "const nav = document.querySelector('nav'); return nav.scrollWidth - nav.clientWidth"
        assert served.browser.ask(cut) <= 0
        tops = "return [...document.querySelectorAll('.top nav a')].map((link) => link.offsetTop)"
        assert len(set(served.browser.ask(tops))) == 1


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_asked_of_another_origin(served: Served, path: str) -> None:
    served.open(path)

    asked = [url for url in served.browser.requested() if not url.startswith("data:")]
    assert [url for url in asked if not url.startswith(served.url)] == []


def test_a_picture_is_found_and_opened_with_the_keyboard(served: Served) -> None:
    served.open("")
    served.browser.press("/", *"trip", ENTER)
    served.wait("location.search === '?q=trip' && document.querySelectorAll('a.tile').length")
    served.browser.ask("document.querySelector('a.tile').focus()")
    second = served.browser.ask("return document.querySelectorAll('a.tile')[1].href")

    served.browser.press(ARROWS["right"], ENTER)

    served.wait(f"location.href === {second!r}")
    served.wait("document.querySelector('figure img').complete")
    assert served.browser.ask("return document.querySelector('figure img').naturalWidth") == 320


def test_arrows_lead_through_the_pictures_and_escape_to_the_gallery(served: Served) -> None:
    served.open("picture/{digest}")
    here = served.browser.ask("return location.href")
    served.browser.press(ARROWS["right"])
    served.wait(f"location.href !== {here!r} && document.readyState === 'complete'")
    served.browser.press(ARROWS["left"])
    served.wait(f"location.href === {here!r} && document.readyState === 'complete'")

    served.browser.press(ESCAPE)

    served.wait("location.pathname === '/' && location.search.startsWith('?from=')")


def test_pages_can_be_read_without_javascript(served: Served) -> None:
    served.browser.command("Emulation.setScriptExecutionDisabled", value=True)
    for path in PAGES:
        served.open(path)
        assert served.browser.ask("return document.querySelector('h1, .phase h2').textContent")
    served.open("")
    assert served.browser.ask("return document.querySelectorAll('a.tile img').length") >= 8
    served.open("upload")
    assert "needs JavaScript" in served.browser.ask("return document.body.innerText")


def upload(served: Served, *files: Path) -> None:
    """Choose files on the page /upload."""
    served.open("upload")
    found = served.browser.command(
        "Runtime.evaluate", expression="document.querySelector('[data-files]')"
    )
    served.browser.command(
        "DOM.setFileInputFiles",
        files=[str(file) for file in files], objectId=found["result"]["objectId"],
    )  # fmt: skip


def test_a_picture_is_searched_by_example(served: Served) -> None:
    served.open("")
    chosen = "document.querySelector('[data-example] input')"
    found = served.browser.command("Runtime.evaluate", expression=chosen)
    served.browser.command(
        "DOM.setFileInputFiles",
        files=[str(served.library.folder / "trip" / "1.jpg")],
        objectId=found["result"]["objectId"],
    )

    served.wait("document.querySelector('h1').textContent === 'Pictures like this file'")
    first = served.browser.ask("return document.querySelector('a.tile').href")
    assert first.endswith(served.library.digest("trip/1.jpg"))


def test_files_are_uploaded_and_duplicates_are_named_first(served: Served, tmp_path: Path) -> None:
    new = tmp_path / "new <b>.jpg"
    new.write_bytes(photo(901))
    served.browser.requested()

    upload(served, new, served.library.folder / "trip" / "2.jpg")

    served.wait("document.querySelector('[data-list]').innerText.includes('Already there')")
    served.wait(
        "[...document.querySelectorAll('[data-list] .phase')].every((one) => "
        "/Uploaded|Processing|Making|Searchable|Already/.test(one.textContent))"
    )
    puts = [url for url in served.browser.requested() if "/api/v1/uploads" in url]
    assert any(url.endswith("/complete") for url in puts)
    served.wait("document.querySelector('[data-list]').innerText.includes('Searchable')")


def test_an_original_is_shown(served: Served) -> None:
    served.open("api/v1/original/{digest}")

    served.wait("document.querySelector('img')?.naturalWidth > 0")


def test_a_sidecar_that_is_dropped_beside_its_picture_tells_about_it(
    served: Served, tmp_path: Path
) -> None:
    picture, facts = tmp_path / "sailing.jpg", tmp_path / "sailing.xmp"
    picture.write_bytes(photo(904))
    facts.write_bytes(sidecar(rating=5))

    upload(served, picture, facts)

    def row(name: str) -> str:
        rows = "[...document.querySelectorAll('[data-list] li')]"
        return f"{rows}.find((one) => one.innerText.includes('{name}'))"

    served.wait(f"{row('.xmp')}.innerText.includes('Uploaded: a sidecar')")
    served.wait(f"{row('.jpg')}.innerText.includes('Searchable')")
    assert served.browser.ask("return document.querySelectorAll('[data-list] .error').length") == 0
    page = served.browser.ask(f"return {row('.jpg')}.querySelector('a').href")
    rating = (
        f"fetch({page!r}).then((found) => found.text()).then((text) => text.includes("
        "'<dt>Rating</dt><dd>5</dd>'))"
    )
    wait_until(
        lambda: served.browser.ask(f"return {rating}"), timeout_seconds=60, what="the rating"
    )


def test_an_upload_goes_on_after_a_reload(served: Served, tmp_path: Path) -> None:
    new = tmp_path / "late.jpg"
    new.write_bytes(photo(902))
    served.open("upload")
    served.browser.command("Network.enable")
    served.browser.command("Network.setBlockedURLs", urls=["*/api/v1/uploads*"])
    upload(served, new)
    asking = "document.querySelector('[data-list]').innerText.includes('Asking the server')"
    served.wait(asking)

    served.open("upload")

    served.wait(asking)
    served.browser.command("Network.setBlockedURLs", urls=[])  # not before: it would go on at once
    served.wait(
        "/Uploaded|Processing|Making|Searchable/.test(document.querySelector('[data-list]').innerText)"
    )
    served.browser.complaints()  # of the requests that were blocked


def test_the_activity_is_live(served: Served, tmp_path: Path) -> None:
    served.open("activity")
    before = served.browser.ask(
        "return document.querySelector('[data-phase=upload] [data-count]').textContent"
    )
    (tmp_path / "more.jpg").write_bytes(photo(903))
    subprocess.run(
        [*MAIN, "push", "--quiet", "--manifest", str(served.library.manifest), str(tmp_path),
         "--to", str(served.library.manifest.parent / "store"), "--patience", "0"],
        env={**os.environ, "BULKUP_MANIFEST_BACKUP": "never"}, check=False,
    )  # fmt: skip

    served.wait(
        f"document.querySelector('[data-phase=upload] [data-count]').textContent !== {before!r}"
    )
    served.wait("document.querySelector('[data-unread]').textContent > 0")


def test_a_failure_is_retried_by_its_button(served: Served) -> None:
    served.open("failures")
    served.browser.ask("document.querySelector('button[name=only]').click()")

    served.wait("location.search.startsWith('?started=') && document.querySelector('.note')")


def test_a_token_signs_in_by_the_form(served: Served) -> None:
    made = subprocess.run(
        [*MAIN, "token", "add", "phone", "--manifest", str(served.library.manifest)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    served.open("sign-in")
    served.browser.ask(f"document.querySelector('#token').value = {made.stdout.strip()!r}")

    served.browser.ask("document.querySelector('main form').requestSubmit()")

    served.wait("document.querySelector('footer')?.innerText.includes('phone (viewer)')")
    assert "Upload" not in served.text("nav")

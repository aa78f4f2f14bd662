"""The documentation, checked against the program: pages, tables, commands, queries, examples."""

from __future__ import annotations

import io
import os
import re
import runpy
import shlex
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from PIL import ExifTags, Image
from pillow_heif import register_heif_opener
from typer.main import get_command

from bulkup.cli.app import app
from bulkup.errors import ErrorClass, ExitCode
from bulkup.events import Event
from bulkup.manifest.manifest import Manifest
from bulkup.settings.table import describe
from tests.e2e.trees import make_tree

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY / "examples"))
from painting import SCENES  # noqa: E402 - after the path to it

README = (REPOSITORY / "README.md").read_text("utf-8")
DOCS = REPOSITORY / "docs"
MANIFEST_PAGE = (DOCS / "manifest.md").read_text("utf-8")
TASKS = (
    "first-push", "destinations", "files", "pictures", "search", "failures", "back", "operations",
    "data", "comparison",
)  # fmt: skip
"""The guides whose commands are typed one after the other, in this order, in one directory."""
GUIDES = "\n".join((DOCS / f"{name}.md").read_text("utf-8") for name in TASKS)
README_BYTES = 10_240
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "docs/decisions/*.md")
    for page in REPOSITORY.glob(pattern)
)
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]  # it is a group
VIEWS = ("files", "failures", "progress", "batches", "pictures")
LIMIT_SECONDS = 60


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next of its level or a higher one."""
    level = heading.index(" ")
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, heading
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


# Pages and tables ---------------------------------------------------------------------------------


def test_generated_pages_are_current() -> None:
    """When this fails: python docs/generate.py."""
    stale = runpy.run_path(str(REPOSITORY / "docs" / "generate.py"))["stale"]
    assert stale() == []


def test_the_guides_show_every_command() -> None:
    pages = "".join(page.read_text("utf-8") for page in PAGES if page.name != "commands.md")
    assert [name for name in COMMANDS if f"bulkup {name}" not in pages] == []


def test_the_readme_is_short() -> None:
    """An entrance: the manual is in docs."""
    assert len(README.encode()) <= README_BYTES


def test_the_readme_links_to_every_guide() -> None:
    """And to every page of reference."""
    pages = [page.name for page in DOCS.glob("*.md")]
    assert [name for name in pages if f"](docs/{name}" not in README] == []


@pytest.mark.parametrize("page", [README, GUIDES], ids=["README", "guides"])
def test_no_page_shows_commands_that_are_not_there(page: str) -> None:
    shown = "".join(blocks(page, "console") + blocks(page, "sh") + blocks(page, "text"))
    named = set(re.findall(r"(?:^|\| |\$ |\* )bulkup ([a-z]+)", shown, re.MULTILINE))
    assert named - set(COMMANDS) == set()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_help_ends_with_an_example(name: str) -> None:
    epilog = COMMANDS[name].epilog or ""
    assert f"Example: bulkup {name}" in epilog


def test_every_setting_stands_on_its_page() -> None:
    page = (REPOSITORY / "docs" / "settings.md").read_text("utf-8")
    for row in describe():
        for name in (row.key, *row.env, *([row.flag] if row.flag else [])):
            assert f"`{name}`" in page


def test_every_exit_code_is_explained() -> None:
    rows = re.findall(r"^\| (\d+) \|", section(GUIDES, "## Exit codes"), re.MULTILINE)
    assert [int(code) for code in rows] == sorted(int(code) for code in ExitCode)


def test_every_error_class_is_explained() -> None:
    explained = section(GUIDES, "## What failed, and why")
    named = re.findall(r"^\| `(\w+)` \|", explained, re.MULTILINE)
    assert sorted(named) == sorted(str(name) for name in ErrorClass)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    """Files that pages link to exist, and so do the headings."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors_of(linked), target


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_event_is_named() -> None:
    """Those that `--json` prints."""
    named = section(GUIDES, "## Events as JSON")
    kinds = [event.kind for event in Event.__subclasses__()]
    assert kinds
    assert [kind for kind in kinds if f"`{kind}`" not in named] == []


def test_figures_have_their_place() -> None:
    """`make bench` writes between these marks."""
    assert GUIDES.count("<!-- figures -->") == GUIDES.count("<!-- /figures -->") == 1


def test_figures_of_the_readme_are_measured_ones() -> None:
    """Each number of seconds that it names stands in docs/figures.md."""
    measured = (DOCS / "figures.md").read_text("utf-8")
    (named,) = re.findall(r"^First push of .*$", README, re.MULTILINE)
    numbers = re.findall(r"\d+\.\d+", named)
    assert len(numbers) == 6
    assert [number for number in numbers if f"{number} s" not in measured] == []


# Commands that need a server are parsed -----------------------------------------------------------


def shown_commands() -> Iterator[str]:
    """Command lines of blocks that are not run."""
    pages = [(DOCS / name).read_text("utf-8") for name in ("watch.md", "runbook.md")]
    for page in (README, GUIDES, MANIFEST_PAGE, *pages):
        for block in [*blocks(page, "sh"), *blocks(page, "text")]:
            for line in block.splitlines():
                if found := re.match(r"(?:[\d*/ ]+\s)?(bulkup [a-z][^|>]*)", line):
                    yield found[1]


def example_commands() -> Iterator[str]:
    """Command lines of the examples for cron and systemd."""
    for name in ("crontab", "bulkup.service", "bulkup-pictures.service"):
        text = (REPOSITORY / "examples" / name).read_text("utf-8")
        found = re.findall(r"^(?:[^#\n]*\s|ExecStart=.*/)(bulkup .*)$", text, re.MULTILINE)
        assert found, name
        yield from found


@pytest.mark.parametrize("line", [*shown_commands(), *example_commands()])
def test_shown_commands_parse(line: str) -> None:
    """Command, options and arguments are ones that bulkup knows."""
    _, name, *words = shlex.split(line, comments=True)
    with COMMANDS[name].make_context(name, words):
        pass


# Commands that need none are run ------------------------------------------------------------------


def expected(output: str) -> re.Pattern[str]:
    """`...` stands for anything in its line; alone in a line, for any lines."""
    lines = []
    for line in output.splitlines():
        if line == "...":
            lines.append(r"(?s:.*)")
        else:
            words = " ".join(line.split())
            lines.append(re.escape(words).replace(re.escape("..."), ".*") + r"\n")
    return re.compile("".join(lines))


def flat(output: str) -> str:
    """The output with one space between words: columns are as wide as the paths on a machine."""
    return "".join(f"{' '.join(line.split())}\n" for line in output.splitlines())


WORDS = ("Häuser", "Tante Zoë", "Brief", "Ballonfahrt", "Leuchtturm", "Berge", "Wanduhr", "Ampel")


def painted(word: str, seed: int, kind: str = "jpg") -> bytes:
    """One of the example's scenes, small; a JPEG says when, where and with what it was taken."""
    random = Random(seed)
    image = SCENES[word](random, (480, 360))
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Pocket 4" if seed % 2 else "K-7"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = f"2019:0{1 + seed % 9}:17 12:00:00"
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place.update({1: "N", 2: (54.0, 53.0, 26.5), 3: "E", 4: (10.0, 24.0, 37.0)})
    out = io.BytesIO()
    options = {"exif": exif.tobytes()} if kind == "jpg" else {}
    image.save(out, {"jpg": "JPEG", "png": "PNG", "heic": "HEIF"}[kind], **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def tree() -> dict[str, bytes]:
    """24 pictures, three of them copies of others."""
    register_heif_opener()
    kinds = ("jpg", "png", "heic")
    numbered = [painted(WORDS[n % len(WORDS)], n, kinds[n % 3]) for n in range(20)]
    files = {f"2019/Ærø & co/IMG_{n:04d}.{kinds[n % 3]}": numbered[n] for n in range(20)}
    files["phone/first.jpg"] = painted("Segeln", 20)
    return files | {f"phone/copy {n}.jpg": numbered[n] for n in (0, 3, 6)}


@pytest.fixture
def session(tmp_path: Path, tree: dict[str, bytes]) -> Path:
    """The directory in which the commands are typed: pictures and an archive."""
    make_tree(tmp_path / "photos", tree)
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        for seed, name in enumerate(("one", "two"), 30):
            archive.writestr(f"day 1/{name}.jpg", painted("Gänseblümchen", seed))
    (tmp_path / "nas").mkdir()
    (tmp_path / "lighthouse.jpg").write_bytes(painted("Leuchtturm", 40))
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    return tmp_path


def typed(block: str) -> Iterator[tuple[str, str]]:
    """(command, output as shown) of a console block."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


@pytest.mark.timeout(300)  # some fifty commands, one after the other
@pytest.mark.parametrize("page", [README, GUIDES], ids=["README", "guides"])
def test_shown_sessions_are_true(session: Path, page: str) -> None:
    """Every console block, from top to bottom, prints what the pages say."""
    binaries = Path(sys.executable).parent
    env = {
        **os.environ,
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "300",
        "LC_ALL": "C.UTF-8",
        "BULKUP_MANIFEST_BACKUP": "1h",  # the default, which the other tests have off
    }
    for block in blocks(page, "console"):
        for command, output in typed(block):
            ended = subprocess.run(
                ["sh", "-c", command],
                cwd=session,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LIMIT_SECONDS,
                check=False,
            )
            shown = f"$ {command}\n{ended.stdout}\nexpected:\n{output}"
            assert ended.returncode == 0, shown
            assert expected(output).fullmatch(flat(ended.stdout)), shown


# The manifest's page ------------------------------------------------------------------------------


@pytest.fixture
def manifest(tmp_path: Path) -> sqlite3.Connection:
    """An empty manifest."""
    with Manifest(str(tmp_path / "manifest.db")):
        pass
    return sqlite3.connect(tmp_path / "manifest.db")


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_of_a_view_is_described(manifest: sqlite3.Connection, view: str) -> None:
    """In the order in which the view has them."""
    found = manifest.execute(f"PRAGMA table_info({view})").fetchall()
    manifest.close()
    rows = re.findall(r"^\| (`.*?) \|", section(MANIFEST_PAGE, f"## {view}"), re.MULTILINE)
    described = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert described == [name for _, name, *_ in found]


@pytest.mark.parametrize("view", VIEWS)
def test_the_guide_lists_the_columns_of_a_view(manifest: sqlite3.Connection, view: str) -> None:
    """All of them, in order."""
    found = manifest.execute(f"PRAGMA table_info({view})").fetchall()
    manifest.close()
    listed = re.search(rf"^\| `{view}` \| .*? \| (.*) \|$", GUIDES, re.MULTILINE)
    assert listed
    assert re.findall(r"`(\w+)`", listed[1]) == [name for _, name, *_ in found]


@pytest.mark.parametrize("query", [*blocks(GUIDES, "sql"), *blocks(MANIFEST_PAGE, "sql")])
def test_queries_run(manifest: sqlite3.Connection, query: str) -> None:
    """On a manifest without rows: names and syntax are right."""
    assert manifest.execute(query).fetchall() == []
    manifest.close()


def test_the_manifest_of_another_place_is_refused_by_the_example(tmp_path: Path) -> None:
    """A file that is not there is not made."""
    example = REPOSITORY / "examples" / "query_manifest.py"
    ended = subprocess.run(
        [sys.executable, example, tmp_path / "no.db"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "is not there" in ended.stderr
    assert not (tmp_path / "no.db").exists()

"""Names that attack a terminal, through every command that prints names; who may read what."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from pathlib import Path

import pexpect
import pytest

from tests.e2e.conftest import PROGRAM, Bulkup
from tests.e2e.pictures import photo
from tests.e2e.trees import make_tree

TITLE = "\x1b]0;pwned\x07"  # sets the window's title
WIPE = "\x1b[2J\x1b[H"
REVERSED = "\u202egnp.exe.jpg"
NAMES = (
    f"{TITLE}a.jpg",
    f"{WIPE}b.jpg",
    f"c{REVERSED}",
    "d\r\ne.jpg",
    "f\x9b31mg.jpg",  # CSI as one character
    f"folder {TITLE}/h.jpg",
)
OWN = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|[0-9]*[AK]|2K|1A)")
"""What bulkup itself sends to a terminal: colours, the cursor, lines of bars erased."""

COMMANDS = (
    ("push", "photos", "--verbose"),
    ("push", "photos", "--to", "other", "--dry-run", "--verbose"),
    ("status",),
    ("status", "--failed"),
    ("status", "--failed", "--verbose"),
    ("status", "--accepted"),
    ("accept", "--dry-run"),
    ("files",),
    ("files", "no such*"),
    ("history",),
    ("search", "scene"),
    ("search", "--duplicates"),
    ("verify", "--deep"),
    ("ls",),
    ("du",),
    ("free", "photos"),
    ("retry", "--failed", "--dry-run"),
    ("retry", "--failed"),
    ("process", "--force", "--dry-run", "--verbose"),
    ("process", "--force", "--verbose"),
    ("embed", "--force", "--dry-run", "--verbose"),
    ("clean",),
    ("pull", "--into", "back", "--verbose"),
    ("resume",),
    ("forget", f"no {TITLE}"),
    ("push", f"no {WIPE}"),
    ("files", f"no {TITLE}"),
    (f"no {TITLE}",),
    ("status", f"--no{TITLE}"),
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Bulkup:
    """Pushed once, with failures: pictures that are none, and a ZIP archive of hostile members."""
    folder = tmp_path_factory.mktemp("hostile")
    root = make_tree(folder / "photos", {name: photo(n) for n, name in enumerate(NAMES)})
    make_tree(root, {f"bad {TITLE}.jpg": photo(1)[:300], f"again {TITLE}.jpg": photo(0)})
    with zipfile.ZipFile(root / f"z{TITLE}.zip", "w") as archive:
        archive.writestr(f"m{WIPE}.jpg", photo(50))
        archive.writestr(f"../../out{TITLE}.jpg", photo(51))
        archive.writestr(f"bad{TITLE}.jpg", photo(52)[:300])
    bulkup = Bulkup(folder)
    bulkup("push", "photos", "--to", "store", check=3)
    return bulkup


def is_harmless(text: str) -> bool:
    rest = OWN.sub("", text)
    return not re.search(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", rest)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: " ".join(one[:3])[:40])
def test_no_command_prints_what_a_terminal_acts_on(
    hostile: Bulkup, command: tuple[str, ...]
) -> None:
    ended = hostile(*command, check=None)
    assert ended.code != 1, ended.stderr
    assert is_harmless(ended.stdout), ended.stdout
    assert is_harmless(ended.stderr), ended.stderr


@pytest.mark.parametrize("command", [COMMANDS[1], COMMANDS[3], COMMANDS[7], COMMANDS[19]])
def test_nor_on_a_terminal(hostile: Bulkup, command: tuple[str, ...]) -> None:
    child = pexpect.spawn(
        str(PROGRAM),
        list(command),
        env={**hostile.environment({"TERM": "xterm-256color", "LANG": "C.UTF-8"})},  # type: ignore[arg-type]
        cwd=str(hostile.directory),
        encoding="utf-8",
        dimensions=(24, 80),
        timeout=60,
    )
    child.expect(pexpect.EOF)
    child.close()
    assert is_harmless(child.before), child.before


def test_nothing_left_its_folder(hostile: Bulkup) -> None:
    """The member that leads out of its archive was refused, and pulled nowhere."""
    assert not [path for path in hostile.directory.parent.rglob("out*") if path.is_file()]
    failed = hostile("status", "--failed", "--json", check=None).json()
    assert any("out" in one["path"] for one in failed)


def test_what_tells_of_pictures_is_for_their_owner_only(hostile: Bulkup) -> None:
    """The manifest, the log, the contact sheet and exports say which pictures there are."""
    before = os.umask(0o022)
    hostile("search", "scene", "--html", "hits.html", "--log-file", "log.jsonl", check=None)
    hostile("push", "photos", "--log-file", "log.jsonl", check=None)
    hostile("export", "--format", "csv", "--output", "all.csv")
    os.umask(before)
    private = [
        *hostile.home.glob("manifest.db*"),
        *(Path(hostile.directory, name) for name in ("hits.html", "log.jsonl", "all.csv")),
    ]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in private}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}

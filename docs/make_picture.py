#!/usr/bin/env python3
"""Draw the terminal pictures of the README from real runs of bulkup.

    python docs/make_picture.py

Generates pictures, pushes them in a pseudo-terminal to an S3 server in this process, records the
terminal, and writes docs/pictures/push.svg (while a push runs, in all three stages) and
docs/pictures/status.svg (afterwards, with a search). The server is limited to 4 MiB/s so that
the bars are visible. Where Chromium is installed, it also draws docs/pictures/sheet.webp, the
contact sheet of a search. Needs bulkup.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from PIL import Image  # noqa: E402 - after the path to tests.fakes
from rich.console import Console  # noqa: E402 - after the path to tests.fakes
from rich.terminal_theme import MONOKAI  # noqa: E402 - the same
from rich.text import Text  # noqa: E402 - the same
from tests.fakes.s3_server import FakeS3  # noqa: E402 - the same

PICTURES = REPOSITORY / "docs" / "pictures"
PROGRAM = Path(sys.executable).with_name("bulkup")
COLUMNS = 100
ERASED = re.compile(r"\r?(?:\x1b\[2K|\x1b\[1A)+\r?")  # between two drawings of the bars
NOT_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-LN-Za-ln-z]")
REMOTE_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def seen(command: list[str], directory: Path, env: dict[str, str]) -> str:
    """All that a command writes to a terminal, control sequences included."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - our own program
        command, cwd=directory, env=env, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    pieces = []
    while True:
        try:
            piece = os.read(leader, 1 << 16)
        except OSError:  # Linux says EIO when the last writer has gone
            break
        if not piece:
            break
        pieces.append(piece)
    process.wait()
    os.close(leader)
    return b"".join(pieces).decode().replace("\r\n", "\n")


def screens(output: str) -> list[Text]:
    """What stood at the bottom of the screen, one after the other; empty ones left out."""
    found = (NOT_COLOUR.sub("", piece).strip("\r\n") for piece in ERASED.split(output))
    return [Text.from_ansi(piece) for piece in found if piece]


def save(name: str, title: str, lines: list[Text]) -> None:
    """One picture; the fonts are the reader's own, so that nothing is fetched from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    for line in lines:
        console.print(line, soft_wrap=False)
    svg = console.export_svg(title=title, theme=MONOKAI, unique_id=f"bulkup-{name}")
    svg = REMOTE_FONTS.sub("", svg).replace("Fira Code", "ui-monospace, Menlo, Consolas")
    path = PICTURES / f"{name}.svg"
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", "utf-8")


def prompt(command: str) -> Text:
    """A command as it is typed."""
    return Text.assemble(("$ ", "dim"), (command, "bold"))


def make_photos(directory: Path) -> None:
    """Painted pictures, and an archive that breaks off, so that something fails."""
    program = REPOSITORY / "examples" / "make_pictures.py"
    subprocess.run(  # noqa: S603 - our own program
        [sys.executable, program, directory, "--count", "120", "--size", "1200"], check=True
    )
    (directory / "scans" / "box 8.zip").write_bytes(b"PK\x03\x04" + bytes(2000))


def main() -> None:
    """Run, keep, draw."""
    PICTURES.mkdir(exist_ok=True)
    directory = Path(tempfile.gettempdir(), "ada")  # short, and the same each time: it is shown
    directory.mkdir()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory)
        s3 = stack.enter_context(FakeS3())
        make_photos(directory / "photos")
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "BULKUP_HOME": str(directory / "home"),
            "BULKUP_BWLIMIT": "4M",
            "AWS_ENDPOINT_URL": s3.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "COLUMNS": str(COLUMNS),
            "LINES": "40",
        }

        def run(command: str) -> str:
            return seen([str(PROGRAM), *command.split()[1:]], directory, env)

        push = "bulkup push photos --to s3://archive/photos"
        drawn = screens(run(push))
        bars = [screen for screen in drawn if "Uploading" in screen.plain]
        bars = [bar for bar in bars if "ETA" in bar.plain and " 0 in flight" not in bar.plain]
        bars = [bar for bar in bars if "Searchable" in bar.plain]
        save("push", "bulkup push", [prompt(push), bars[len(bars) * 3 // 5]])
        lines = [prompt(push), drawn[-1]]
        for command in (
            "bulkup search clock --limit 3",
            "bulkup status",
            "bulkup status --failed",
        ):
            lines += [Text(""), prompt(command), Text.from_ansi(run(command).strip("\n"))]
        save("status", "bulkup", lines)
        run("bulkup search sailing boat --limit 12 --html hits.html")
        draw_sheet(directory / "hits.html")


def draw_sheet(page: Path) -> None:
    """Write the top of a contact sheet as docs/pictures/sheet.webp, if Chromium is installed."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return
    drawn = page.with_suffix(".png")
    subprocess.run(  # noqa: S603 - our own page
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            "--window-size=900,640",
            f"--screenshot={drawn}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
    )
    with Image.open(drawn) as image:
        image.convert("RGB").save(PICTURES / "sheet.webp", quality=80, method=6)


if __name__ == "__main__":
    main()

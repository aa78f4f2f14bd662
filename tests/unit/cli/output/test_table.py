"""Tables: plain in a pipe, and as wide as the terminal."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.cli.output.table import (
    Column,
    below_one_folder,
    cells_wide,
    fitted_table,
    plain_table,
    print_table,
    shorten,
)
from bulkup.cli.output.text import is_screen


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


COLUMNS = [Column("path"), Column("tries", right=True), Column("error")]


def test_plain_tables_are_aligned_and_escaped() -> None:
    rows = [("[red]a", "3", "reset"), ("日本\x1b", "12", "")]
    assert plain_table(COLUMNS, rows) == [
        "path      tries  error",
        "[red]a        3  reset",
        r"日本\x1b     12",
    ]


def test_a_pipe_gets_plain_lines_without_loading_rich() -> None:
    code = (
        "import sys; from bulkup.cli.output.table import Column, print_table\n"
        "print_table([Column('a')], [('b\\udcff',)], sys.stdout, {})\n"
        "assert not any(name.partition('.')[0] == 'rich' for name in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "a\nb\\xff\n"


def test_a_pipe_without_unicode_gets_escapes() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_table([Column("a")], [("é",)], out, {})
    out.seek(0)
    assert out.read() == "a\n\\xe9\n"


def test_a_terminal_gets_a_table_in_which_markup_is_text() -> None:
    out = Terminal()
    print_table(COLUMNS, [("[red]a[/red]:smile:", "3", "\x1b[2J")], out, {"TERM": "xterm"})
    assert "[red]a[/red]:smile:" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()
    assert r"\x1b[2J" in out.getvalue()


def test_no_color_takes_the_colours() -> None:
    out = Terminal()
    print_table(COLUMNS, [("a", "3", "")], out, {"TERM": "xterm", "NO_COLOR": "1"})
    assert "\x1b[3" not in out.getvalue()


def test_only_a_terminal_that_can_draw_is_a_screen() -> None:
    assert is_screen(Terminal(), {"TERM": "xterm"})
    assert not is_screen(Terminal(), {"TERM": "dumb"})
    assert not is_screen(io.StringIO(), {"TERM": "xterm"})
    narrow = Terminal()
    narrow.encoding = "ascii"  # type: ignore[misc]
    assert not is_screen(narrow, {"TERM": "xterm"})


WIDE = [
    Column("File", cut=True),
    Column("Size", right=True, drop=1),
    Column("State"),
    Column("Key", cut=True, drop=2),
]
PATH = "2022/Sommerurlaub an der See/noch ein Ordner/東京と京都の写真集/IMG_0144.jpg"


def test_a_narrow_terminal_drops_columns_before_it_cuts_paths_to_stumps() -> None:
    rows = [(PATH, "12.3 MiB", "done", PATH), ("a.jpg", "1 B", "failed", "a.jpg")]
    titles, first, second = fitted_table(WIDE, rows, 60)
    assert titles.split() == ["File", "Size", "State"]
    assert first.startswith("2022/Sommer")
    assert "IMG_0144.jpg" in first
    assert second.split() == ["a.jpg", "1", "B", "failed"]
    assert fitted_table(WIDE, rows, 30)[0].split() == ["File", "State"]


@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=90))), st.integers(30, 120))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, str]], width: int) -> None:
    columns = [Column("a", cut=True), Column("b", cut=True)]
    assert all(cells_wide(line) <= width for line in fitted_table(columns, rows, width))


@pytest.mark.parametrize(
    ("width", "shown"), [(20, "abcdefghijkl"), (12, "abcdefghijkl"), (9, "ab…ghijkl"), (1, "…")]
)
def test_the_middle_is_cut(width: int, shown: str) -> None:
    assert shorten("abcdefghijkl", width) == shown


def test_the_shared_folder_is_said_once() -> None:
    paths = ["/home/u/photos/a.jpg", "/home/u/photos/2019/b.jpg"]
    assert below_one_folder(paths) == ("/home/u/photos", ["a.jpg", "2019/b.jpg"])
    assert below_one_folder(["/a/x.jpg", "/b/y.jpg"]) == ("", ["/a/x.jpg", "/b/y.jpg"])

"""Values → text for people: safe names, numbers with units. Pure."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHORT = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}
_JOINER = "\u200d"
_VARIATION = "\ufe0f"  # selects the coloured form of the character before it


def escape(text: str) -> str:
    r"""The text without anything that a terminal acts on or that is invisible.

    Control characters and bytes that were not UTF-8 become \xNN (newline, tab and return \n, \t,
    \r); format characters, among them those that reverse or hide text, become \uNNNN. Letters,
    marks, spaces and emoji stay, and so does the joiner between two emoji. A backslash stays
    too, so that escaping twice equals escaping once: the result is for reading, not for parsing.
    """
    if text.isprintable():  # true for no control, format, surrogate or separator character
        return text
    return "".join(
        char if char.isprintable() or _joins_emoji(text, at) else _escaped(char)
        for at, char in enumerate(text)
    )


def _escaped(char: str) -> str:
    import unicodedata  # a large table, and most texts need none of it

    code = ord(char)
    if unicodedata.category(char) in {"Zs", "Co", "Cn"}:  # odd spaces; letters of private fonts
        return char  # and characters newer than this Python
    if char in _SHORT:
        return _SHORT[char]
    if 0xDC80 <= code <= 0xDCFF:  # PEP 383: how Python keeps a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100 and unicodedata.category(char) == "Cc":
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _joins_emoji(text: str, at: int) -> bool:
    """Whether the character is a joiner with a pictograph on both sides (Unicode TS #51)."""
    if text[at] != _JOINER or not 0 < at < len(text) - 1:
        return False
    before = text[at - 2] if text[at - 1] == _VARIATION and at > 1 else text[at - 1]
    return _pictures(before) and _pictures(text[at + 1])


def _pictures(char: str) -> bool:
    import unicodedata

    skin_tone = "\U0001f3fb" <= char <= "\U0001f3ff"
    return skin_tone or unicodedata.category(char) == "So"


def size(size_bytes: float) -> str:
    """`0 B`, `1023 B`, `1.0 KiB`, `12.3 MiB`: binary units, one decimal from KiB on."""
    if size_bytes < 1024:
        return f"{size_bytes:.0f} B"
    amount = size_bytes / 1024
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1023.95:  # more would be rounded to 1024.0
            return f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} PiB"


def size_of(part_bytes: float, total_bytes: float) -> str:
    """`24.1/82.7 MiB`: both in the unit of the total."""
    total, unit = size(total_bytes).split(" ")
    steps = ("B", "KiB", "MiB", "GiB", "TiB", "PiB").index(unit)
    part = part_bytes / 1024**steps
    return f"{part:.0f}/{total} {unit}" if unit == "B" else f"{part:.1f}/{total} {unit}"


def count(number: int, noun: str | None = None) -> str:
    """`12,345`, and with a noun `1 file`, `12,345 files`."""
    if noun is None:
        return f"{number:,}"
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def percent(score: float, *, is_weak: bool = False) -> str:
    """A score of 0 to 1 as "53 %"; "22 % weak" where chance reaches it, too."""
    return f"{100 * score:.0f} %" + (" weak" if is_weak else "")


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `3m 20s`, `1h 02m`, `2d 03h`: two units at most."""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"


def rate(bytes_per_second: float) -> str:
    """`12.3 MiB/s`."""
    return f"{size(bytes_per_second)}/s"


def when(at: float, now: float, zone: tzinfo = UTC) -> str:
    """`in 5m 00s`, `3m 20s ago`, `now`; a date and time in `zone` when a week or more away.

    `at` and `now` are seconds since 1970 in UTC.
    """
    away = at - now
    if abs(away) >= 7 * 86400:
        return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M %Z}"
    if abs(away) < 0.5:
        return "now"
    return f"in {duration(away)}" if away > 0 else f"{duration(-away)} ago"


def fold(line: str, width: int) -> list[str]:
    """The line broken between words, with an indent from the second on; a longer word stays whole,
    so that it can be copied."""
    from textwrap import wrap

    if len(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
    return wrap(
        line,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def print_folded(text: str, out: TextIO) -> None:
    """Print the lines of the text, escaped, on a terminal broken between words."""
    print_lines([escape(line) for line in text.split("\n")], out)


def print_lines(lines: Iterable[str], out: TextIO) -> None:
    """Print escaped lines, on a terminal broken between words."""
    if out.isatty():
        from shutil import get_terminal_size

        width = get_terminal_size().columns
        lines = [part for line in lines for part in fold(line, width)]
    out.writelines(f"{printable(line, out)}\n" for line in lines)


def print_error(message: str, hint: str | None) -> None:
    """What is wrong, and below it what to do: each line of the hint is one."""
    lines = [f"bulkup: {escape(message)}"]
    lines += [f"  {escape(line)}" for line in hint.split("\n")] if hint else []
    print_lines(lines, sys.stderr)


def is_screen(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether bars and tables can be drawn: a UTF-8 terminal that can move its cursor."""
    unicode = (stream.encoding or "").lower().replace("-", "") == "utf8"
    return unicode and stream.isatty() and environ.get("TERM") not in {"dumb", "unknown"}


def printable(text: str, out: TextIO) -> str:
    r"""The text in this stream's encoding; characters that it lacks become \uNNNN."""
    encoding = out.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)

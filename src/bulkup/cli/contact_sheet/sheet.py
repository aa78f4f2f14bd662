"""Writes a contact sheet: one HTML file without references to other files.

Thumbnails are inlined (RFC 2397); the style (sheet.css) and the script (sheet.js) are allowed by
their digests in a Content-Security-Policy that forbids everything else, so that the file makes no
request. It is readable and printable without scripts.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape as as_html
from importlib.resources import files
from typing import BinaryIO, Final

from bulkup.cli.output.text import count, escape, percent, size

_PICTURE_TYPES: Final = frozenset({"image/webp", "image/jpeg", "image/png", "image/avif"})

_GENERATOR: Final = b'<meta name="generator" content="bulkup">'

_DIALOG: Final = """\
<dialog aria-label="One picture, larger"><div class="view"><div class="large"></div>
<div class="facts"><h3></h3><button class="close" aria-label="Close">&times;</button><dl></dl></div>
</div></dialog>
"""
_KEYS: Final = """\
<p class="keys"><kbd>←</kbd> <kbd>↑</kbd> <kbd>→</kbd> <kbd>↓</kbd> move, <kbd>Enter</kbd> shows
one larger, <kbd>Esc</kbd> closes it, <kbd>/</kbd> filters</p>
"""


@dataclass(frozen=True, slots=True)
class Thumb:
    """An encoded picture to inline. `content_type` is WebP, JPEG, PNG or AVIF."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of the sheet. Its text is escaped here; None is omitted."""

    path: str
    digest: str
    score: float | None = None
    is_weak: bool = False
    reasons: tuple[str, ...] = ()
    key: str | None = None
    taken_at: str | None = None  # ISO 8601, as Moment prints it
    camera: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    size_bytes: int | None = None
    thumb: Thumb | None = None
    is_best: bool = False  # of a group of near-duplicates


@dataclass(frozen=True, slots=True)
class Section:
    """Frames under one heading; '' for hits."""

    heading: str
    frames: Iterable[Frame]


def write_sheet(sections: Iterable[Section], out: BinaryIO, *, title: str) -> int:
    """Write the sheet as UTF-8 and return the number of frames.

    Each frame is written before the next is taken: only one thumbnail need be in memory. Raises
    OSError.
    """
    style, script = (_part(name) for name in ("sheet.css", "sheet.js"))
    out.write(_opening(title, style, script).encode())
    number = 0
    for section in sections:
        heading = f"<h2>{_safe(section.heading)}</h2>" if section.heading else ""
        out.write(f"<section>{heading}<ol>\n".encode())
        for frame in section.frames:
            number += 1
            _write_frame(frame, number, out, in_group=bool(section.heading))
        out.write(b"</ol></section>\n")
    if not number:
        out.write(b"<p>Nothing to show.</p>\n")
    out.write(b"</main>\n<footer>" + f"<p>{count(number, 'picture')}</p>".encode())
    out.write(f"{_KEYS}</footer>\n{_DIALOG}<script>{script}</script>\n</html>\n".encode())
    return number


def is_sheet(head: bytes) -> bool:
    """Whether a file that begins like this is a contact sheet of bulkup."""
    return head.startswith(b"<!doctype html>") and _GENERATOR in head


def _opening(title: str, style: str, script: str) -> str:
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_source(style)}'; "
        f"script-src '{_source(script)}'; base-uri 'none'; form-action 'none'"
    )
    return f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
{_GENERATOR.decode()}
<title>{_safe(title)}</title>
<style>{style}</style>
<header><h1><bdi>{_safe(title)}</bdi></h1><p id="count" role="status"></p>
<label>Filter <input id="filter" type="search" autocomplete="off" spellcheck="false"></label>
</header>
<main>
"""


def _write_frame(frame: Frame, number: int, out: BinaryIO, *, in_group: bool) -> None:
    name = _safe(frame.path.rpartition("/")[2])
    mark = (
        "best"
        if frame.is_best
        else ""
        if frame.score is None
        else percent(frame.score, is_weak=frame.is_weak)
    )
    out.write(
        f'<li><button type="button" class="frame" aria-haspopup="dialog" aria-label="{name}">'
        f'<span class="edge"><span>{number:02}</span><span>{mark}</span></span>'
        f'<span class="mat">'.encode()
    )
    if frame.thumb is not None and frame.thumb.content_type in _PICTURE_TYPES:
        _write_picture(frame.thumb, name, out)
    else:
        out.write(b'<span class="none">no thumbnail</span>')
    about = _about(frame, in_group=in_group)
    out.write(
        f'</span></button><p class="name"><bdi>{name}</bdi></p><p class="about">{about}</p>'
        f"<dl hidden>{_facts(frame)}</dl></li>\n".encode()
    )


def _write_picture(thumb: Thumb, name: str, out: BinaryIO) -> None:
    out.write(f'<img loading="lazy" decoding="async" alt="{name}" src="'.encode())
    out.write(f"data:{thumb.content_type};base64,".encode())
    out.write(base64.b64encode(thumb.body))
    out.write(b'">')


def _facts(frame: Frame) -> str:
    facts = {
        "File": frame.path,
        "Taken": frame.taken_at and frame.taken_at.replace("T", " "),
        "Camera": frame.camera,
        "Pixels": _pixels(frame),
        "Size": _bytes(frame),
        "Score": None if frame.score is None else percent(frame.score, is_weak=frame.is_weak),
        "Why": "; ".join(frame.reasons),
        "Key": frame.key,
        "SHA-256": frame.digest,
    }
    return "".join(
        f"<dt>{term}</dt><dd><bdi>{_safe(text)}</bdi></dd>" for term, text in facts.items() if text
    )


def _about(frame: Frame, *, in_group: bool) -> str:
    """The line under the name: date and camera of a hit, pixels and bytes of a near-duplicate."""
    day = frame.taken_at[:10] if frame.taken_at else None
    facts = (_pixels(frame), _bytes(frame)) if in_group else (day, frame.camera)
    return " · ".join(_safe(text) for text in facts if text)


def _pixels(frame: Frame) -> str | None:
    if frame.width_px is None or frame.height_px is None:
        return None
    return f"{frame.width_px} \N{MULTIPLICATION SIGN} {frame.height_px}"


def _bytes(frame: Frame) -> str | None:
    return None if frame.size_bytes is None else size(frame.size_bytes)


def _safe(text: str) -> str:
    """Text for an element or a quoted attribute, escaped as on a terminal too."""
    return as_html(escape(text), quote=True)


def _part(name: str) -> str:
    return files("bulkup.cli.contact_sheet").joinpath(name).read_text("utf-8")


def _source(text: str) -> str:
    """The digest that allows an inline block in a policy (CSP Level 3, 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

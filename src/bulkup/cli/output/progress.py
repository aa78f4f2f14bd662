"""Snapshots → bars on standard error, ten times a second; lines above them.

The numbers and the layout of a bar are pure functions of a snapshot, a goodput and a width. Rich
only keeps the lines at the bottom of the screen.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Self, TextIO

from bulkup.cli.output.text import count, duration, escape, is_screen, printable, rate, size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.text import Text

    from bulkup.model import Snapshot, StageCount

_REDRAWS_PER_SECOND = 10  # looks smooth, and costs about 2 % of a core
_MEMORY_SECONDS = 15.0  # steadies the ETA, and follows the adaptive window
_LABELS = {"upload": "Uploading", "process": "Processing", "embed": "Searchable", "pull": "Pulling"}
_LABEL_WIDTH = 11
_LEAST_BAR, _MOST_BAR = 8, 40


class Goodput(NamedTuple):
    """Bytes and files per second that reached the destination, weighted towards the latest seconds.

    An exponentially weighted mean over time: a span `_MEMORY_SECONDS` back weighs 1/e of the last.
    It is unbiased from the first span on (the weights are divided by their sum).
    """

    done_bytes: int = 0
    done_files: int = 0
    at_seconds: float = 0.0
    weighted_bytes: float = 0.0
    weighted_files: float = 0.0
    weight: float = 0.0

    def after(self, done_bytes: int, done_files: int, at_seconds: float) -> Goodput:
        """The goodput including the time up to now; unchanged if no time has passed."""
        span_seconds = at_seconds - self.at_seconds
        if span_seconds <= 0:
            return self
        kept = math.exp(-span_seconds / _MEMORY_SECONDS)
        share = (1 - kept) / span_seconds
        return Goodput(
            done_bytes=done_bytes,
            done_files=done_files,
            at_seconds=at_seconds,
            weighted_bytes=kept * self.weighted_bytes + share * (done_bytes - self.done_bytes),
            weighted_files=kept * self.weighted_files + share * (done_files - self.done_files),
            weight=kept * self.weight + (1 - kept),
        )

    @property
    def bytes_per_second(self) -> float:
        return self.weighted_bytes / self.weight if self.weight else 0.0

    @property
    def files_per_second(self) -> float:
        return self.weighted_files / self.weight if self.weight else 0.0


def eta_seconds(stage: StageCount, goodput: Goodput) -> float | None:
    """The time until the rest is done, by bytes, or by files if only empty ones are left.

    None while nothing moves. Failed and skipped files do not count.
    """
    left_files = stage.total - stage.done - stage.skipped - stage.failed
    if left_files <= 0:
        return 0.0
    left_bytes = stage.total_bytes - stage.done_bytes if stage.total_bytes else 0
    left, speed = (
        (left_bytes, goodput.bytes_per_second)
        if left_bytes > 0
        else (left_files, goodput.files_per_second)
    )
    eta = left / speed if speed > 0 else math.inf
    return eta if eta < 100 * 86400 else None  # a longer forecast would be meaningless


def fraction(stage: StageCount) -> float:
    """The finished share of the stage, from 0 to 1: by bytes if there are any."""
    if stage.total_bytes:
        return min(stage.done_bytes / stage.total_bytes, 1.0)
    settled = stage.done + stage.skipped + stage.failed
    return min(settled / stage.total, 1.0) if stage.total else 0.0


class Bar(NamedTuple):
    """One line: a label, `filled` of `width` cells, and the numbers that fit beside them."""

    label: str
    width: int
    filled: int
    words: str


def bar(label: str, stage: StageCount, goodput: Goodput, walking: bool, width: int) -> Bar:
    """The line of one stage in at most `width` cells (at least 21); details are dropped first."""
    share = fraction(stage)
    pieces = [  # (priority: the highest number is dropped first, text)
        (0, "counting…" if walking else f"{math.floor(share * 100):3d} %"),
        (2, f"{count(stage.done + stage.skipped)}/{count(stage.total)} files"),
    ]
    if stage.total_bytes:  # only the upload's work is measured in bytes
        pieces.insert(1, (4, f"{size(stage.done_bytes)} of {size(stage.total_bytes)}"))
        pieces.append((3, rate(goodput.bytes_per_second)))
    else:
        pieces.append((3, f"{goodput.files_per_second:.3g}/s"))
        if stage.failed:
            pieces.append((3, f"{count(stage.failed)} failed"))
    if not walking:
        eta = eta_seconds(stage, goodput)
        pieces.append((1, f"ETA {'-' if eta is None else duration(eta)}"))
    space = width - _LABEL_WIDTH - _LEAST_BAR - 2
    words = _fitted(pieces, space, "  ")
    wide = max(min(width - _LABEL_WIDTH - len(words) - 2, _MOST_BAR), 0)
    return Bar(label, wide, 0 if walking else round(share * wide), words)


def traffic(snapshot: Snapshot, width: int) -> str:
    """The line below the bars: whether the run stops or why it is paused, or its requests and
    errors."""
    if snapshot.is_stopping:
        held = count(snapshot.in_flight, "request") if snapshot.in_flight else "work in progress"
        return f"stopping: {held} to finish; Ctrl-C again to leave at once"
    if snapshot.paused:
        return f"paused: {escape(snapshot.paused)}"
    pieces = [
        (1, f"{count(snapshot.window, 'connection')}"),
        (2, f"{snapshot.in_flight} in flight"),
        (3 if not snapshot.throttled else 1, f"{count(snapshot.throttled)} throttled"),
        (0, f"{count(snapshot.errors, 'error')}"),
    ]
    if snapshot.walking:
        pieces.insert(0, (0, f"{count(snapshot.walked_files)} found"))
    return _fitted(pieces, width - _LABEL_WIDTH, " · ")


def _fitted(pieces: Sequence[tuple[int, str]], width: int, between: str) -> str:
    """The pieces that fit, in their order; those with the highest number are dropped first."""
    kept = list(pieces)
    while len(kept) > 1 and len(between.join(text for _, text in kept)) > width:
        kept.remove(max(kept, key=lambda piece: piece[0]))
    return between.join(text for _, text in kept)


class Screen:
    """Bars at the bottom of a terminal, and lines that scroll above them.

    If `stream` is not a terminal, or a dumb one, or with `quiet`, there are no bars, and `say`
    prints plain lines. NO_COLOR removes only the colours. `take` is called from another thread.
    """

    def __init__(
        self,
        take: Callable[[], Snapshot],
        stream: TextIO,
        environ: Mapping[str, str],
        *,
        quiet: bool = False,
    ) -> None:
        self._take = take
        self._stream = stream
        self._environ = environ
        self.draws = is_screen(stream, environ) and not quiet
        self._goodputs: dict[str, Goodput] = {}

    def __enter__(self) -> Self:
        if self.draws:
            from rich.console import Console
            from rich.live import Live

            self._console = Console(
                file=self._stream, no_color=bool(self._environ.get("NO_COLOR")), highlight=False
            )
            self._live = Live(
                console=self._console,
                get_renderable=self._drawn,
                refresh_per_second=_REDRAWS_PER_SECOND,
                transient=True,  # the summary replaces the bars
                redirect_stdout=False,  # standard output may carry JSON lines
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.draws:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print lines above the bars, escaped. One call for many lines costs one redraw."""
        lines = [escape(line) for line in text.split("\n")]
        if self.draws:
            from rich.text import Text

            self._console.print(Text("\n".join(lines)), soft_wrap=True)
        else:
            self._stream.write("".join(f"{printable(line, self._stream)}\n" for line in lines))
            self._stream.flush()

    def _goodput(self, name: str, stage: StageCount, elapsed_seconds: float) -> Goodput:
        """The stage's goodput of this run, up to now."""
        at = (stage.done_bytes, stage.done + stage.skipped, elapsed_seconds)
        last = self._goodputs.get(name)
        self._goodputs[name] = found = last.after(*at) if last else Goodput(*at)
        return found

    def _drawn(self) -> Text:
        """All lines, each shorter than the terminal: a wrapped line could not be erased."""
        from rich.text import Text

        snapshot, width = self._take(), self._console.width - 1
        lines = []
        for name, stage in snapshot.stages.items():
            goodput = self._goodput(name, stage, snapshot.elapsed_seconds)
            lines.append(_styled(bar(_LABELS[name], stage, goodput, snapshot.walking, width)))
        waits = snapshot.paused or snapshot.is_stopping
        style = "yellow" if waits else "red" if snapshot.errors else "dim"
        lines.append(Text(" " * _LABEL_WIDTH).append(traffic(snapshot, width), style))
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return Text("\n", no_wrap=True).join(lines)


def _styled(drawn: Bar) -> Text:
    from rich.text import Text

    line = Text(f"{drawn.label:<{_LABEL_WIDTH}}", no_wrap=True)
    line.append("━" * drawn.filled, "green")
    line.append("─" * (drawn.width - drawn.filled), "dim")  # another character: colours may be off
    return line.append(f"  {drawn.words}")

"""Bars on standard error, redrawn ten times a second, and lines above them.

What the bars say is in `bars`; Rich only keeps the lines at the bottom of the screen. Where there
is no terminal, `StatsLines` prints a line now and then instead.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self, TextIO

from bulkup.cli.output.text import escape, fold, is_screen, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.text import Text

    from bulkup.cli.output.bars import Bar
    from bulkup.cli.output.goodput import Speed
    from bulkup.clock import Clock
    from bulkup.model import Snapshot

_REDRAWS_PER_SECOND = 10  # looks smooth, and costs about 2 % of a core
_SLOW_SECONDS = 2.0  # a file that is in hand so long is named
_MOST_SLOW = 2
_SPEED_SECONDS = 1.0  # between looks at speeds, where there are no bars


class Speeds:
    """The speed of each stage of one run, from one snapshot to the next."""

    def __init__(self) -> None:
        self._speeds: dict[str, Speed] = {}
        self._has_begun: set[str] = set()

    def after(self, snapshot: Snapshot) -> Mapping[str, Speed]:
        """The speeds up to this snapshot. What is done when a stage has a total for the first
        time is the work of earlier runs."""
        from bulkup.cli.output.goodput import speed_from

        at = snapshot.elapsed_seconds
        for name, stage in snapshot.stages.items():
            if name in self._has_begun:
                self._speeds[name] = self._speeds[name].after(stage, at)
            else:
                self._speeds[name] = speed_from(stage, at)
            if stage.total:
                self._has_begun.add(name)
        return self._speeds


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
        self._speeds = Speeds()
        self._widths: tuple[int, ...] = (5, 0, 0, 0, 9)
        self._begun: dict[str, float] = {}  # when a file that is in hand was first seen

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

    def say(self, text: str, *, folds: bool = False) -> None:
        """Print lines above the bars, escaped. One call for many lines costs one redraw.

        With `folds`, lines that are too long are broken between words on a terminal.
        """
        lines = [escape(line) for line in text.split("\n")]
        if folds and self.draws:
            lines = [part for line in lines for part in fold(line, self._console.width)]
        if self.draws:
            from rich.text import Text

            self._console.print(Text("\n".join(lines)), soft_wrap=True)
        else:
            with suppress(BrokenPipeError):  # nobody reads any more: that stops no run
                self._stream.write("".join(f"{printable(line, self._stream)}\n" for line in lines))
                self._stream.flush()

    def _drawn(self) -> Text:
        """All lines, each shorter than the terminal: a wrapped line could not be erased."""
        from rich.text import Text

        from bulkup.cli.output.bars import (
            LABEL_WIDTH,
            bars_of,
            column_widths,
            details,
            row_of,
            traffic,
        )

        snapshot, width = self._take(), self._console.width - 1
        speeds = self._speeds.after(snapshot)
        rows = [
            row_of(
                name,
                stage,
                speeds[name],
                walking=snapshot.walking,
                paused=snapshot.paused is not None,
            )
            for name, stage in snapshot.stages.items()
        ]
        self._widths = column_widths(rows, self._widths)
        lines = [_styled(bar) for bar in bars_of(rows, self._widths, width)]
        waits = snapshot.paused or snapshot.is_stopping
        style = "yellow" if waits else "red" if snapshot.errors else "dim"
        lines.append(Text(" " * LABEL_WIDTH).append(traffic(snapshot, width), style))
        more = details(snapshot, self._slow(snapshot), width)
        lines.extend(Text(" " * LABEL_WIDTH).append(said, "dim") for said in more)
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return Text("\n", no_wrap=True).join(lines)

    def _slow(self, snapshot: Snapshot) -> list[tuple[str, int]]:
        """The files that have been in hand for long."""
        now = snapshot.elapsed_seconds
        self._begun = {path: self._begun.get(path, now) for path, _ in snapshot.in_hand}
        slow = [one for one in snapshot.in_hand if now - self._begun[one[0]] >= _SLOW_SECONDS]
        return slow[:_MOST_SLOW]


def _styled(drawn: Bar) -> Text:
    from rich.text import Text

    from bulkup.cli.output.bars import LABEL_WIDTH

    line = Text(f"{drawn.label:<{LABEL_WIDTH}}", no_wrap=True)
    line.append("━" * drawn.filled, "green")
    line.append("─" * (drawn.width - drawn.filled), "dim")  # another character: colours may be off
    return line.append(f"  {drawn.words}")


class StatsLines:
    """Prints where a run stands, in a line each `seconds`, until it is cancelled."""

    def __init__(
        self,
        take: Callable[[], Snapshot],
        say: Callable[[str], None],
        clock: Clock,
        seconds: float,
    ) -> None:
        self._take = take
        self._say = say
        self._clock = clock
        self._seconds = seconds

    async def run(self) -> None:
        """Print until cancelled."""
        from datetime import datetime

        from bulkup.cli.output.bars import stats_line

        speeds, left_seconds = Speeds(), self._seconds
        while True:
            # Speeds count from when a stage has begun, which is to be seen before the first line.
            step_seconds = min(left_seconds, _SPEED_SECONDS)
            await self._clock.sleep(step_seconds)
            snapshot = self._take()
            measured = speeds.after(snapshot)
            left_seconds -= step_seconds
            if left_seconds > 0:
                continue
            left_seconds = self._seconds
            at = datetime.fromtimestamp(self._clock.now()).astimezone()
            self._say(stats_line(snapshot, measured, f"{at:%H:%M}"))

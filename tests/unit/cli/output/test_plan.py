from __future__ import annotations

import pytest

from bulkup.cli.output.plan import PlanDetails, kind_of, last_speed
from bulkup.events import FilesLeftOut
from bulkup.manifest.reports.status import BatchRow
from bulkup.model import LeftOut
from bulkup.plan_events import FilePlanned, FilesPlanned, Verdict


def batch(destination: str, sent_bytes: int | None, seconds: float | None) -> BatchRow:
    numbers: list[int | None] = [0, 0, sent_bytes, 0, 0]
    times = ("2026-01-01T00:00:00Z", None)
    return BatchRow(
        1, "r", "push", "h", 1, destination, "", *times, 0, *numbers, seconds, 0, 0, None
    )


def planned(path: str, verdict: Verdict = "send", size_bytes: int = 1 << 20) -> FilePlanned:
    return FilePlanned(path, verdict, None, None, size_bytes)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/p/a.jpg", "JPEG"),
        ("/p/a.JPEG", "JPEG"),
        ("/p/a.heif", "HEIC"),
        ("/p/a.CR2", "raw"),
        ("/p/a.mov", "video"),
        ("/p/a.png", "PNG"),
        ("/p/a.tif", "TIFF"),
        ("/p/b.jpg/readme", "other"),
    ],
)
def test_kinds_by_extension(path: str, kind: str) -> None:
    assert kind_of(path) == kind


def test_kinds_time_and_reasons() -> None:
    details = PlanDetails()
    files = [planned("a.jpg"), planned("b.jpg"), planned("c.nef"), planned("d.jpg", "duplicate")]
    details.add(FilesPlanned(tuple(files)))
    left_out = [LeftOut("", f"{n}.txt", "no picture") for n in range(3)]
    details.add(FilesLeftOut("/r", (*left_out, LeftOut("", ".DS_Store", "junk"))))
    history = [batch("s3://b", None, 1.0), batch("/nas", 1, 1.0), batch("s3://b", 3 << 20, 3.0)]
    assert details.lines("s3://b", history) == [
        "  To upload: 2 JPEG (2.0 MiB), 1 raw (1.0 MiB).",
        "  At the rate of the last push there, 1.0 MiB/s: 3.0 s.",
        "  Ignored: 3 no picture, 1 junk.",
    ]


def test_nothing_to_say() -> None:
    assert PlanDetails().lines("s3://b", []) == []
    assert last_speed("s3://b", [batch("s3://b", 5, None)]) is None


def test_rare_reasons_are_counted_together() -> None:
    details = PlanDetails()
    files = [LeftOut("", f"{n}.x", f"reason {n // 2}") for n in range(12)]
    details.add(FilesLeftOut("/r", (*files, LeftOut("", "z", "rare"))))
    assert details.lines("/d", [])[-1].endswith("3 for other reasons (--verbose).")

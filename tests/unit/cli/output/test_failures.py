"""Failed files on a terminal, grouped by cause."""

from __future__ import annotations

from bulkup.cli.output.failures import failure_lines
from bulkup.manifest.reports.status import FailureRow


def test_files_with_one_cause_are_one_group() -> None:
    rows = [
        FailureRow(
            f"/home/u/photos/2022/{'long name ' * 9}{n}.jpg", "d", "process", "waiting", "server",
            f"key 'x/{n}.webp': InternalError (500): try again", 1, "2026-11-28T08:30:00Z", "s3://b",
        )
        for n in range(9)
    ]  # fmt: skip
    rows.append(
        FailureRow("/home/u/photos/a.jpg", "d", "upload", "dead", "invalid", "bad", 5, None, "s3:")
    )
    lines = list(failure_lines(rows, 1795854360.0, 80))
    assert lines[0] == "In /home/u/photos:"
    assert "9 files: process will retry, server, next try in 4m 00s" in lines
    assert "  InternalError (500): try again" in lines
    assert "  … 4 more" in lines
    assert "1 file: upload failed, invalid" in lines
    assert lines[-2:] == ["Retry now: bulkup retry --failed", "Known failures: bulkup accept"]
    assert max(map(len, lines)) <= 80

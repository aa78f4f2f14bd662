"""What bulkup itself writes is no source, whatever its name."""

from __future__ import annotations

from pathlib import Path

from bulkup.walk.filters import Rules, Selection
from bulkup.walk.own_files import own_patterns


def test_own_files_in_a_root_are_left_out_and_others_are_not(tmp_path: Path) -> None:
    root, other = tmp_path / "photos", tmp_path / "other"
    files = [root / "log [1].jsonl", root / "state" / "manifest.db", tmp_path / "m.prom"]
    patterns = own_patterns([str(root), str(other)], map(str, files))
    rules = Rules(Selection(exclude=patterns, all_files=True))
    left_out = ["log [1].jsonl", "state/manifest.db", "state/manifest.db-wal"]
    taken = ["log 1.jsonl", "manifest.db", "state/a.jpg", "m.prom", "sub/log [1].jsonl"]
    assert [path for path in [*left_out, *taken] if rules.why_filtered(path)] == left_out


def test_nothing_is_left_out_where_nothing_is_inside(tmp_path: Path) -> None:
    assert own_patterns([str(tmp_path / "photos")], [str(tmp_path / "photos.log")]) == ()

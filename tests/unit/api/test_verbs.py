"""The verbs from Python, in this process: results, errors, callbacks, other loops."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import bulkup
from tests.e2e.pictures import photo, photos


@pytest.fixture
def pushed(tmp_path: Path) -> Path:
    """A folder of two files, one content of them twice, and one bad picture; pushed."""
    folder = photos(tmp_path / "photos", 2)
    (folder / "bad.jpg").write_bytes(photo(1)[:300])
    (folder / "copy.jpg").write_bytes(next(iter(sorted(folder.iterdir()))).read_bytes())
    bulkup.push(folder, to=tmp_path / "there", stages=["upload", "process"], workers=1)
    return folder


def test_a_push_returns_its_summary(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 3)
    summary = bulkup.push(folder, to=tmp_path / "there", stages=["upload"])
    assert (summary.files, summary.sent, summary.exit_code) == (3, 3, 0)
    again = bulkup.push([folder])
    assert (again.sent, again.unchanged) == (0, 3)


def test_what_the_upload_refuses_is_no_part_of_the_later_stages(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("good.jpg", photo(1))
        archive.writestr("../out.jpg", photo(2))
        archive.writestr("/out.jpg", photo(3))
    summary = bulkup.push(folder, to=tmp_path / "there", stages=["upload", "process"], workers=1)
    assert (summary.stages["upload"]["dead"], summary.dead) == (2, 2)
    assert summary.stages["process"]["total"] == summary.processed == 1


def test_a_dry_run_sends_nothing_and_says_what_would_be_sent(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 2)
    events: list[bulkup.Event] = []
    summary = bulkup.push(folder, to=tmp_path / "there", dry_run=True, on_event=events.append)
    planned = [f for e in events if isinstance(e, bulkup.FilesPlanned) for f in e.files]
    assert summary.dry_run
    assert [one.verdict for one in planned] == ["send", "send"]
    assert not (tmp_path / "there").exists()
    assert bulkup.status().assets.total == 0
    bulkup.push(folder, to=tmp_path / "there", stages=["upload"])
    assert bulkup.process(dry_run=True).dry_run


def test_status_has_the_fields_of_the_json(pushed: Path) -> None:
    status = bulkup.status()
    assert (status.assets.total, status.assets.unique, status.assets.duplicates) == (4, 3, 1)
    assert status.stages["upload"].done == 3
    assert status.destinations[0].objects == 3
    assert (status.accepted, bulkup.status(accepted=True)) == (0, [])
    (failed,) = bulkup.status(failed=True)
    assert failed.path == str(pushed / "bad.jpg")
    assert (failed.stage, failed.state, failed.error_class) == ("process", "dead", "invalid")


def test_failed_files_are_tried_again(pushed: Path) -> None:
    assert bulkup.retry(stage="upload").exit_code == 0
    events: list[bulkup.Event] = []
    summary = bulkup.retry(error="invalid", on_event=events.append, patience=0)
    assert summary.exit_code == bulkup.ExitCode.UNFINISHED
    assert any(isinstance(event, bulkup.AttemptFailed) for event in events)
    with pytest.raises(bulkup.UsageError, match="no error class"):
        bulkup.retry(error="wrong")


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("retry", {"stage": "uploads"}),
        ("pull", {"into": "back", "duplicates": "links"}),
        ("pull", {"into": "back", "restore": True, "restore_days": 0}),
        ("search", {"text": "red", "limit": 0}),
        ("search", {"text": "red", "limit": -1}),
        ("status", {"failed": True, "accepted": True}),
        ("verify", {"deep": True, "sample": 10}),
        ("push", {"paths": []}),
    ],
)
def test_what_the_command_line_refuses_is_refused_here(
    verb: str, options: dict[str, object]
) -> None:
    with pytest.raises(bulkup.UsageError):
        getattr(bulkup, verb)(**options)


def test_a_dry_run_of_retry_lists_the_failures_and_changes_nothing(pushed: Path) -> None:
    before = bulkup.status(failed=True)
    events: list[bulkup.Event] = []
    summary = bulkup.retry(dry_run=True, on_event=events.append)
    assert (summary.command, summary.dry_run) == ("retry", True)
    assert summary.stages == {"process": {"ready": 1, "total": 1}}
    (planned,) = [f for e in events if isinstance(e, bulkup.FilesPlanned) for f in e.files]
    assert (planned.path, planned.verdict) == (str(pushed / "bad.jpg"), "process")
    assert planned.reason
    assert bulkup.status(failed=True) == before
    assert bulkup.retry(stage="upload", dry_run=True).stages == {}


def test_verify_lists_what_is_missing_and_retry_repairs_it(pushed: Path, tmp_path: Path) -> None:
    assert bulkup.verify(pushed) == []
    (tmp_path / "there" / "bad.jpg").unlink()
    (found,) = bulkup.verify(deep=True)
    assert (found.finding, found.key, found.variant) == ("missing", "bad.jpg", None)
    assert found.paths == (str(pushed / "bad.jpg"),)
    bulkup.retry(path="*bad.jpg", patience=0)
    assert bulkup.verify(sample=100) == []


def test_pull_brings_all_files_back(pushed: Path, tmp_path: Path) -> None:
    summary = bulkup.pull("*.jpg", into=tmp_path / "back", from_=tmp_path / "there")
    assert (summary.files, summary.fetched, summary.linked + summary.copied) == (4, 3, 1)
    there = {p.name: p.read_bytes() for p in (tmp_path / "back").iterdir() if p.is_file()}
    assert there == {p.name: p.read_bytes() for p in pushed.iterdir()}


def test_what_ends_a_run_before_its_work_is_raised(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 1)
    with pytest.raises(bulkup.UsageError, match="no manifest"):
        bulkup.pull(into=tmp_path / "back")
    with pytest.raises(bulkup.UsageError) as raised:
        bulkup.push(tmp_path / "none", to=tmp_path / "there")
    assert raised.value.hint
    with pytest.raises(bulkup.DestinationError):
        bulkup.push(folder, to=tmp_path / "a" / "b" / "c")
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    with pytest.raises(bulkup.ManifestError):
        bulkup.status(manifest=tmp_path / "broken.db")
    with pytest.raises(bulkup.UsageError, match="only one of them"):
        bulkup.search()


def test_a_destination_that_is_gone_is_raised_by_verify(pushed: Path, tmp_path: Path) -> None:
    (tmp_path / "there").rename(tmp_path / "elsewhere")
    with pytest.raises(bulkup.DestinationError):
        bulkup.verify()


def test_nothing_is_printed_and_trouble_is_logged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(photo(1)[:300])
    with caplog.at_level(logging.WARNING, logger="bulkup"):
        bulkup.push(bad, to=tmp_path / "there", stages=["upload", "process"], workers=1)
    assert "bad.jpg: invalid" in caplog.text
    assert capfd.readouterr() == ("", "")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_a_program_that_sets_up_no_logging_prints_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK")
    code = "import bulkup; print(bulkup.push('bad.zip', to='there', stages=['upload']).exit_code)"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (ended.stdout, ended.stderr) == ("3\n", "")


def test_a_summary_shows_its_numbers(tmp_path: Path) -> None:
    """As in a notebook."""
    summary = bulkup.push(photos(tmp_path / "photos", 1), to=tmp_path / "there", dry_run=True)
    assert repr(summary).startswith("Summary(run_id='', command='push', ")
    assert f"sent={summary.sent}, " in repr(summary)


def test_an_exception_of_a_callback_stops_the_run_and_is_raised(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 3)

    class Enough(Exception):
        pass

    def stop(event: bulkup.Event) -> None:
        raise Enough(event.kind)

    with pytest.raises(Enough, match="run_started"):
        bulkup.push(folder, to=tmp_path / "there", on_event=stop)
    assert bulkup.status().runs == ()
    assert bulkup.push(folder, stages=["upload"]).exit_code == 0


async def test_the_async_forms_run_in_the_callers_loop(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 2)
    taken: list[bulkup.Snapshot] = []
    summary = await bulkup.aio.push(
        folder, to=tmp_path / "there", stages=["upload"], on_progress=taken.append
    )
    assert summary.sent == 2
    assert taken[-1].stages["upload"].done == 2
    assert (await bulkup.aio.status()).assets.total == 2
    assert await bulkup.aio.verify() == []


async def test_the_plain_forms_work_within_a_running_loop_too(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 1)
    assert bulkup.push(folder, to=tmp_path / "there", stages=["upload"]).sent == 1
    assert bulkup.status().assets.total == 1


async def test_a_cancelled_run_ends_in_order_and_can_be_resumed(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 8)
    begun = asyncio.Event()
    pushing = asyncio.create_task(
        bulkup.aio.push(
            folder,
            to=tmp_path / "there",
            stages=["upload"],
            max_rate=1,
            on_event=lambda event: begun.set() if event.kind == "run_started" else None,
        )
    )
    await begun.wait()
    pushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pushing
    assert bulkup.status().runs == ()
    summary = bulkup.resume()
    assert summary.exit_code == 0
    assert bulkup.status().stages["upload"].done == 8


def test_a_result_is_json_under_the_names_of_the_command_line(pushed: Path) -> None:
    from dataclasses import asdict

    document = json.loads(json.dumps(asdict(bulkup.status())))
    assert list(document) == [
        "schema", "manifest", "generated_at", "assets", "stages", "searchable", "failures",
        "accepted", "runs", "stale_claims", "destinations",
    ]  # fmt: skip

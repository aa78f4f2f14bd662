"""What a run tells other programs: --metrics-file and the webhook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import Bulkup
from tests.fakes.receiver import receiving

pytestmark = pytest.mark.usefixtures("uploads_only")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three contents in four files."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, content in (("a", "one"), ("b", "two"), ("c", "three"), ("d", "one")):
        (folder / f"{name}.jpg").write_bytes(b"\xff\xd8\xff" + content.encode())
    return folder


def done_items(path: Path) -> float:
    (count,) = (
        sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
        if sample.name == "bulkup_items" and sample.labels == {"stage": "upload", "state": "done"}
    )
    return count


def test_a_push_leaves_its_metrics(bulkup: Bulkup, photos: Path, tmp_path: Path) -> None:
    bulkup("push", photos, "--metrics-file", tmp_path / "push.prom")
    assert done_items(tmp_path / "push.prom") == 3
    assert 'bulkup_last_run_exit_code{command="push"} 0' in (tmp_path / "push.prom").read_text()


def test_status_writes_metrics_when_asked_only(
    bulkup: Bulkup, photos: Path, tmp_path: Path
) -> None:
    """The setting belongs to runs: a look at the status changes no file."""
    bulkup("push", photos)
    setting = {"BULKUP_METRICS_FILE": str(tmp_path / "setting.prom")}
    bulkup("status", env=setting)
    assert not (tmp_path / "setting.prom").exists()
    bulkup("status", "--metrics-file", tmp_path / "status.prom")
    assert done_items(tmp_path / "status.prom") == 3


@pytest.mark.parametrize("command", ["push", "status"])
def test_metrics_that_cannot_be_written_are_a_wrong_usage(
    bulkup: Bulkup, photos: Path, tmp_path: Path, command: str
) -> None:
    paths = [photos] if command == "push" else []
    ended = bulkup(command, *paths, "--metrics-file", tmp_path / "no" / "m.prom", check=2)
    assert "--metrics-file" in ended.stderr


def test_a_webhook_is_told_of_the_end(bulkup: Bulkup, photos: Path) -> None:
    with receiving() as receiver:
        ended = bulkup("push", photos, env={"BULKUP_NOTIFY_WEBHOOK": receiver.url})
    (message,) = receiver.messages
    assert message["event"] == "run_ended"
    assert (message["sent"], message["duplicates"], message["exit_code"]) == (3, 1, 0)
    assert "The webhook" not in ended.stderr


def test_a_webhook_that_fails_changes_no_exit_code_and_tells_no_secret(
    bulkup: Bulkup, photos: Path, tmp_path: Path
) -> None:
    with receiving(404) as receiver:
        ended = bulkup(
            "push",
            photos,
            "--log-file",
            tmp_path / "log",
            env={"BULKUP_NOTIFY_WEBHOOK": receiver.url},
        )
    assert "The webhook at 127.0.0.1 did not get the report: status 404" in ended.stderr
    everything = ended.stdout + ended.stderr + (tmp_path / "log").read_text()
    assert "s3cr3t" not in everything
    assert b"s3cr3t" not in (bulkup.home / "manifest.db").read_bytes()


def test_the_log_names_run_item_stage_attempt_and_duration(
    bulkup: Bulkup, photos: Path, tmp_path: Path
) -> None:
    bulkup("push", photos, "--log-file", tmp_path / "log")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    files = [line for line in lines if line["event"] == "uploaded"]
    assert sorted(Path(line["path"]).name for line in files) == [
        "a.jpg",
        "b.jpg",
        "c.jpg",
        "d.jpg",
    ]
    assert len({line["run_id"] for line in lines}) == 1
    assert {line["stage"] for line in files} == {"upload"}
    for line in files:
        assert len(line["digest"]) == 64
        assert line["attempt"] == (None if line["how"] == "duplicate" else 1)
        assert line["seconds"] >= 0


@pytest.mark.parametrize("command", [["retry", "--failed"], ["resume"]])
def test_every_command_that_runs_leaves_metrics(
    bulkup: Bulkup, photos: Path, tmp_path: Path, command: list[str]
) -> None:
    bulkup("push", photos)
    bulkup(*command, "--metrics-file", tmp_path / "m.prom")
    assert done_items(tmp_path / "m.prom") == 3


def test_a_wrong_webhook_is_not_repeated(bulkup: Bulkup, photos: Path) -> None:
    env = {"BULKUP_NOTIFY_WEBHOOK": "hooks.example.org/s3cr3t"}
    ended = bulkup("push", photos, env=env, check=2)
    assert "BULKUP_NOTIFY_WEBHOOK" in ended.stderr
    assert "s3cr3t" not in ended.stderr

"""What a shell completes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.cli.completion import (
    complete_aws_profile,
    complete_destination,
    complete_model,
    complete_profile,
    complete_stages,
)
from bulkup.manifest.manifest import Manifest


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BULKUP_MANIFEST", str(tmp_path / "manifest.db"))
    return tmp_path


def use_toml(here: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (here / "mine.toml").write_text(text)
    monkeypatch.setenv("BULKUP_CONFIG", str(here / "mine.toml"))


def test_stages_are_completed_after_each_comma() -> None:
    assert complete_stages("") == ["upload", "process", "embed"]
    assert complete_stages("u") == ["upload"]
    assert complete_stages("upload,") == ["upload,process", "upload,embed"]
    assert complete_stages("upload,p") == ["upload,process"]


def test_destinations_are_names_known_ones_and_folders(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_toml(here, monkeypatch, '[destinations]\nnas = "/mnt/nas"\n')
    (here / "news").mkdir()
    with Manifest(str(here / "manifest.db")) as manifest:
        manifest.destinations.add(
            "s3://new/p", endpoint_url="", region=None, profile=None, addressing_style=None
        )
    assert complete_destination("n") == ["nas:", "news/"]
    assert complete_destination("s3://") == ["s3://new/p"]


def test_profiles_are_those_of_the_file_else_of_aws(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "aws").write_text("[profile work]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(here / "aws"))
    assert complete_profile("") == complete_aws_profile("") == ["work"]
    use_toml(here, monkeypatch, "[profile.archive]\npush.limit = 1\n")
    assert complete_profile("") == ["archive"]
    assert complete_aws_profile("w") == ["work"]


def test_models() -> None:
    assert complete_model("eff") == ["efficientnet-lite0"]


def test_a_broken_settings_file_completes_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_toml(here, monkeypatch, "push.nosuch = 1")
    assert complete_profile("") == []
    assert complete_model("") == []
    assert complete_destination("x") == []
    assert capsys.readouterr() == ("", "")

"""The manifest remembers only what was reached, and `forget` undoes the rest."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import make_tree, objects_in, picture
from tests.fakes.s3_server import FakeS3

pytestmark = pytest.mark.usefixtures("uploads_only")


def destinations(bulkup: Bulkup) -> list[str]:
    return [one["url"] for one in bulkup("status", "--json").json()["destinations"]]


@pytest.mark.parametrize(
    "options",
    [
        ["--to", "gs://photos/x"],
        ["--to", "s3:///x"],
        ["--to", "nas", "--stages", "embed"],
        ["--to", "nas", "--stages", "upload,embed"],
        ["--to", "s3://"],
        ["--to", "https://minio.example.org/photos"],
        ["--to", "s3://photos/x", "--ca-bundle", "nowhere.pem"],
        ["--to", "s3://photos/x", "--endpoint-url", "photos.example.org"],
    ],
)
def test_a_usage_error_leaves_nothing(bulkup: Bulkup, tmp_path: Path, options: list[str]) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    assert bulkup("push", "photos", *options, check=2).code == 2
    assert not (bulkup.home / "manifest.db").exists()


def test_a_destination_that_was_never_reached_replaces_none(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "nas")
    bulkup("push", "photos", "--to", "typo/in/a/path", check=4)
    assert destinations(bulkup) == [str(tmp_path / "nas")]
    make_tree(tmp_path / "photos", {"b.jpg": picture(2)})
    assert "1 uploaded" in bulkup("push", "photos").stdout
    assert set(objects_in(tmp_path / "nas")) == {"a.jpg", "b.jpg"}
    for command in ("resume", "verify", "clean", "doctor"):
        bulkup(command)


def test_a_push_of_which_every_file_failed_is_kept_with_its_failures(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """At a second destination, where nothing was ever stored: no less a failure than at a first."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "nas")
    (root / "a.jpg").unlink()
    make_tree(root, {"z.zip": b"no archive"})
    for _ in range(2):
        assert "1 failed" in bulkup("push", "photos", "--to", "elsewhere", check=3).stdout
        (failed,) = bulkup("status", "--failed", "--json", check=3).json()
        assert failed["destination"] == str(tmp_path / "elsewhere")
    bulkup("forget", "elsewhere", "--yes")
    assert destinations(bulkup) == [str(tmp_path / "nas")]


def test_a_first_push_that_was_refused_is_resumed(bulkup: Bulkup, tmp_path: Path) -> None:
    """By `resume`, by the same push, and by a push that does not name the destination again."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    for again in (["resume"], ["push", "photos", "--to", "disk/x/nas"], ["push", "photos"]):
        bulkup("push", "photos", "--to", "disk/x/nas", check=4)
        assert destinations(bulkup) == []
        assert bulkup("status", "--json").json()["stages"]["upload"]["ready"] == 1
        bulkup(*again, check=4)
        bulkup("verify")
        bulkup("clean")
        assert "disk/x/nas" in bulkup("doctor", check=4).stdout
        (tmp_path / "disk" / "x").mkdir(parents=True)
        assert "1 uploaded" in bulkup(*again).stdout
        assert destinations(bulkup) == [str(tmp_path / "disk" / "x" / "nas")]
        bulkup("forget", "disk/x/nas", "--yes")
        bulkup("forget", "photos", "--yes", check=None)
        shutil.rmtree(tmp_path / "disk")


@pytest.mark.parametrize("stops", [["resume"], []])
def test_another_destination_replaces_one_that_was_never_reached(
    bulkup: Bulkup, tmp_path: Path, stops: list[str]
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "typo/one/nas", check=4)
    bulkup("push", "photos", "--to", "typo/two/nas", check=4)
    if stops:
        assert "typo/two" in bulkup(*stops, check=4).stderr
    assert "1 uploaded" in bulkup("push", "photos", "--to", "nas").stdout
    assert "Nothing to resume" in bulkup("resume").stdout
    assert "Nothing changed" in bulkup("push", "photos").stdout
    assert "neither a known" in bulkup("forget", "typo/one/nas", check=2).stderr


def test_a_folder_of_a_known_root_goes_there_also_after_a_refused_push(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    make_tree(tmp_path / "photos", {"2024/a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "nas")
    bulkup("push", "photos/2024", "--to", "typo/nas/x", check=4)
    make_tree(tmp_path / "photos", {"2024/b.jpg": picture(2)})
    assert "1 uploaded" in bulkup("push", "photos/2024").stdout
    assert set(objects_in(tmp_path / "nas")) == {"2024/a.jpg", "2024/b.jpg"}
    assert "Nothing to resume" in bulkup("resume").stdout


def test_an_unreadable_file_does_not_make_a_destination_reached(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.zip": b"PK\x03\x04 no archive"})
    bulkup("push", "photos", "--to", "typo/nas/x", check=4)
    bulkup("push", "photos", "--to", "nas", check=3)
    assert destinations(bulkup) == [str(tmp_path / "nas")]


def test_an_empty_push_remembers_no_destination(bulkup: Bulkup, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    bulkup("push", "photos", "--to", "nas")
    assert destinations(bulkup) == []


def test_forget_shows_first_and_touches_no_object(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "nas")
    shown = bulkup("forget", "nas").stdout
    assert f"to forget: {tmp_path}/nas" in shown
    assert f"destination of {tmp_path}/photos" in shown
    assert destinations(bulkup) == [str(tmp_path / "nas")]
    assert f"forgotten: {tmp_path}/nas" in bulkup("forget", "nas", "--yes").stdout
    assert destinations(bulkup) == []
    assert set(objects_in(tmp_path / "nas")) == {"a.jpg"}
    assert "1 already there" in bulkup("push", "photos", "--to", "nas").stdout


def test_a_forgotten_folder_leaves_the_destination(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "nas")
    bulkup("forget", "photos", "--yes")
    assert bulkup("files", "--json").stdout.strip() in ("", "[]")
    assert destinations(bulkup) == [str(tmp_path / "nas")]


def test_only_what_is_known_can_be_forgotten(bulkup: Bulkup) -> None:
    assert "neither a known destination" in bulkup("forget", "s3://other/x", check=2).stderr


def test_a_profile_that_failed_does_not_replace_the_one_that_worked(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    s3 = fake_s3()
    (tmp_path / "config").write_text(
        f"[profile good]\nregion = us-east-1\nendpoint_url = {s3.url}\n"
        "aws_access_key_id = key\naws_secret_access_key = secret\n"
        f"[profile empty]\nregion = us-east-1\nendpoint_url = {s3.url}\n"
    )
    env = {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_EC2_METADATA_DISABLED": "true"}
    bulkup("push", "photos", "--to", "s3://bucket", "--profile", "good", env=env)
    make_tree(tmp_path / "photos", {"b.jpg": picture(2)})
    bulkup("push", "photos", "--to", "s3://bucket", "--profile", "empty", env=env, check=4)
    assert "1 uploaded" in bulkup("push", "photos", env=env).stdout

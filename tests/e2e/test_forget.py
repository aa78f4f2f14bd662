"""The manifest remembers only what was reached, and `forget` undoes the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import make_tree, objects_in, picture

pytestmark = pytest.mark.usefixtures("uploads_only")


def destinations(bulkup: Bulkup) -> list[str]:
    return [one["url"] for one in bulkup("status", "--json").json()["destinations"]]


@pytest.mark.parametrize(
    "options",
    [
        ["--to", "gs://photos/x"],
        ["--to", "s3:///x"],
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
    assert "1 sent" in bulkup("push", "photos").stdout
    assert set(objects_in(tmp_path / "nas")) == {"a.jpg", "b.jpg"}
    for command in ("resume", "verify", "clean"):
        bulkup(command)


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

"""Destinations with names in bulkup.toml: --to nas:"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.places import BucketPlace
from tests.e2e.trees import make_tree, objects_in, picture
from tests.servers.endpoint import Endpoint

pytestmark = pytest.mark.usefixtures("uploads_only")


def test_a_name_stands_for_a_directory(bulkup: Bulkup, tmp_path: Path) -> None:
    """Relative to the file; what follows the colon is below it; every verb knows it."""
    bulkup.use_settings('[destinations]\nnas = "disk/store"\n')
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    (tmp_path / "disk").mkdir()
    bulkup("push", "photos", "--to", "nas:")
    assert set(objects_in(tmp_path / "disk/store")) == {"a.jpg"}
    bulkup("push", "photos", "--to", "nas:2019")
    assert set(objects_in(tmp_path / "disk/store/2019")) == {"a.jpg"}
    urls = {row["url"] for row in bulkup("status", "--json").json()["destinations"]}
    assert urls == {str(tmp_path / "disk/store"), str(tmp_path / "disk/store/2019")}
    assert bulkup("verify", "--to", "nas:", "--json").json() == []
    assert [row["key"] for row in bulkup("ls", "--to", "nas:2019", "--json").json()] == ["a.jpg"]
    bulkup("pull", "--from", "nas:", "--into", "back")
    assert (tmp_path / "back/a.jpg").read_bytes() == picture(1)
    bulkup("rebuild", "--from", "nas:", "--manifest", "again.db")


def test_a_name_brings_its_endpoint(bulkup: Bulkup, s3: Endpoint, tmp_path: Path) -> None:
    """The environment may name another one; a flag wins over the name."""
    place = BucketPlace(s3, s3.make_bucket())
    table = f'{{ to = "{place.url}", endpoint_url = "{s3.url}" }}'
    bulkup.use_settings(f"[destinations]\nminio = {table}\n")
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    env = {**place.env, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    bulkup("push", "photos", "--to", "minio:", env=env)
    assert set(place.objects()) == {"a.jpg"}
    bulkup("push", "photos", "--to", "minio:", "--endpoint-url", s3.url, env=env)
    bulkup("push", "photos", "--to", "minio:", env={**env, "BULKUP_TO": "elsewhere"})


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("", "there is no destination nas: in bulkup.toml (it has none)"),
        ('[destinations]\nnass = "x"', "it has nass:"),
        ("[destinations]\nnas = 1", "destinations.nas names no destination"),
        ("[destinations]\nnas = { endpoint_url = 'http://x' }", "names no destination"),
        ("destinations = 1", "destinations is no table"),
        ("[destinations]\n'n/s' = 'x'", "'n/s' is no name"),
        ("[destinations]\nnas = { to = 'x', colour = 'red' }", 'no setting "s3.colour"'),
    ],
)
def test_a_wrong_name_is_an_error(bulkup: Bulkup, tmp_path: Path, toml: str, said: str) -> None:
    """And no directory of that name is made."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    (tmp_path / "settings.toml").write_text(toml)
    ended = bulkup("push", "photos", "--to", "nas:", "--config", "settings.toml", check=2)
    assert said in ended.stderr
    assert not (tmp_path / "nas:").exists()


def test_urls_and_paths_with_colons_are_no_names(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    for to in ("./a:b", f"{tmp_path}/c:d", f"file://{tmp_path}/e"):
        bulkup("push", "photos", "--to", to)
    assert {path.name for path in tmp_path.iterdir()} >= {"a:b", "c:d", "e"}

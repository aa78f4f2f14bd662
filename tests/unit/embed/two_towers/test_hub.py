"""Files from a hub: pinned, checked, taken up where they were cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkup.embed.two_towers.hub import Hub
from bulkup.errors import EmbedderUnusable
from tests.servers.hub import ModelHub, running
from tests.servers.process import free_port

FILES = {"visual/model.onnx": bytes(range(256)) * 40, "textual/tokenizer.json": b"{}"}


@pytest.fixture
def hub() -> Iterator[ModelHub]:
    with running("somebody/a-model", FILES) as server:
        yield server


def fetched(hub: ModelHub, directory: Path, revision: str = "main") -> dict[str, bytes]:
    client = Hub(hub.url, ca_bundle=None, environ={})
    _, found = client.fetch(hub.repository, revision, FILES, directory, lambda *_: None)
    return {path: file.read_bytes() for path, file in found.items()}


def test_all_files_of_the_commit_arrive(hub: ModelHub, tmp_path: Path) -> None:
    client, reports = Hub(hub.url + "/", ca_bundle=None, environ={}), list[tuple[str, int]]()
    directory = tmp_path / "new"
    snapshot, found = client.fetch(
        hub.repository, "main", FILES, directory, lambda *said: reports.append(said)
    )
    assert {path: file.read_bytes() for path, file in found.items()} == FILES
    assert snapshot.commit == hub.commit
    assert reports == [(path, len(body)) for path, body in FILES.items()]
    assert all(hub.commit in one for one in hub.asked if "GET" in one and "/resolve/" in one)


def test_a_cut_download_goes_on_with_the_same_commit(hub: ModelHub, tmp_path: Path) -> None:
    hub.cut_after = 4000
    with pytest.raises(EmbedderUnusable, match="cannot be downloaded from") as caught:
        fetched(hub, tmp_path)
    assert "continues where it stopped" in str(caught.value.hint)
    hub.asked.clear()
    assert fetched(hub, tmp_path) == FILES
    assert any(one.endswith("bytes=4000-") for one in hub.asked)
    assert not any(one.startswith("HEAD") for one in hub.asked), "the snapshot was kept"


def test_parts_of_another_revision_are_not_used(hub: ModelHub, tmp_path: Path) -> None:
    hub.cut_after = 4000
    with pytest.raises(EmbedderUnusable):
        fetched(hub, tmp_path)
    hub.asked.clear()
    assert fetched(hub, tmp_path, hub.commit) == FILES
    assert not any("bytes=4000-" in one for one in hub.asked)


@pytest.mark.parametrize("path", list(FILES))
def test_bytes_that_are_not_the_hubs_are_refused(hub: ModelHub, tmp_path: Path, path: str) -> None:
    hub.wrong_bytes = True
    client = Hub(hub.url, ca_bundle=None, environ={})
    with pytest.raises(EmbedderUnusable, match="arrived damaged"):
        client.fetch(hub.repository, "main", [path], tmp_path, lambda *_: None)
    hub.wrong_bytes = False
    _, found = client.fetch(hub.repository, "main", [path], tmp_path, lambda *_: None)
    assert found[path].read_bytes() == FILES[path]


def test_what_is_not_there_is_said(hub: ModelHub, tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnusable, match="answered 404"):
        fetched(hub, tmp_path, "no-such-branch")


def test_without_a_network_the_other_ways_are_named(tmp_path: Path) -> None:
    client = Hub(f"http://127.0.0.1:{free_port()}", ca_bundle=None, environ={})
    with pytest.raises(EmbedderUnusable) as caught:
        client.fetch("a/b", "main", ["x"], tmp_path, lambda *_: None)
    assert "--from" in str(caught.value.hint)
    assert "embed.hub" in str(caught.value.hint)


def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    client = Hub("https://127.0.0.1", ca_bundle=str(tmp_path / "none.pem"), environ={})
    with pytest.raises(EmbedderUnusable, match="no request to the hub"):
        client.fetch("a/b", "main", ["x"], tmp_path, lambda *_: None)

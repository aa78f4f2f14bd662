"""The third stage of push, and `bulkup embed`: by the default model and by a service."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import asked, photo, photos
from tests.e2e.trees import make_tree, objects_in
from tests.servers import embedding
from tests.servers.embedding import PATH, EmbeddingServer
from tests.servers.process import free_port

STATES = ("ready", "claimed", "waiting", "done", "skipped", "dead")
MODEL = "a-model"


@pytest.fixture(scope="module")
def process() -> Iterator[EmbeddingServer]:
    with embedding.running() as server:
        yield server


@pytest.fixture
def service(process: EmbeddingServer) -> EmbeddingServer:
    process.reset()
    return process


def access(service: EmbeddingServer | str, **more: str) -> dict[str, str]:
    """The settings of the embedder http; no bucket that anybody would notice."""
    return {
        "BULKUP_EMBED_MODEL": "http",
        "BULKUP_EMBED_URL": service if isinstance(service, str) else service.url,
        "BULKUP_EMBED_REMOTE_MODEL": MODEL,
        "BULKUP_EMBED_REQUESTS_PER_MINUTE": "6000",
        "BULKUP_EMBED_BURST": "100",
        **more,
    }


def manifest_of(bulkup: Bulkup) -> Path:
    return bulkup.home / "manifest.db"


def stage(bulkup: Bulkup) -> dict[str, int]:
    """The stage's counts that are not 0."""
    found = bulkup("status", "--json").json()["stages"]["embed"]
    return {state: found[state] for state in STATES if found[state]}


def embedded(bulkup: Bulkup) -> dict[str, int]:
    """How many vectors each embedder has."""
    return dict(
        asked(
            manifest_of(bulkup),
            "SELECT name || ' ' || version, count(*) FROM embedding "
            "JOIN embedder ON embedder.id = embedder_id GROUP BY embedder.id",
        )
    )


LITE = "efficientnet-lite0 57934424.centre"
SIX_VIEWS = "efficientnet-lite0 57934424.six-views"
HTTP = f"http openai {MODEL}"


def wait_for(fact: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + 60
    while not fact():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def processed(bulkup: Bulkup, count: int) -> None:
    """So many photos uploaded and processed, and not embedded."""
    photos(bulkup.directory / "photos", count)
    bulkup("push", "photos", "--to", "store", "--stages", "upload,process")


def test_push_makes_searchable_and_a_second_one_nothing(bulkup: Bulkup) -> None:
    photos(bulkup.directory / "photos", 5)
    ended = bulkup("push", "photos", "--to", "store")
    assert "searchable 5 of 5" in ended.stdout
    assert stage(bulkup) == {"done": 5}
    assert embedded(bulkup) == {LITE: 5}
    assert bulkup("status", "--json").json()["searchable"] == 5
    attempts = asked(manifest_of(bulkup), "SELECT count(*) FROM attempt")
    bulkup("push", "photos")
    assert bulkup("embed").stdout == "Nothing to embed.\n"
    assert asked(manifest_of(bulkup), "SELECT count(*) FROM attempt") == attempts


def test_ten_copies_are_embedded_once_and_the_hit_names_the_first(bulkup: Bulkup) -> None:
    body = photo(1)
    make_tree(bulkup.directory / "photos", {f"{n}.jpg": body for n in range(10)})
    bulkup("push", "photos", "--to", "store")
    assert stage(bulkup) == {"done": 1}
    assert embedded(bulkup) == {LITE: 1}
    assert bulkup("status", "--json").json()["searchable"] == 1
    (hit,) = bulkup("search", "mountain", "--json").json()
    assert hit["path"] == str(bulkup.directory / "photos/0.jpg")
    assert hit["key"] == "0.jpg"


def test_a_second_destination_asks_the_service_nothing(
    bulkup: Bulkup, service: EmbeddingServer
) -> None:
    photos(bulkup.directory / "photos", 4)
    bulkup("push", "photos", "--to", "one", env=access(service))
    before = len(service.requests(PATH))
    assert before >= 1
    bulkup("push", "photos", "--to", "two", env=access(service))
    assert len(service.requests(PATH)) == before
    assert stage(bulkup) == {"done": 8}
    assert embedded(bulkup) == {HTTP: 4}
    assert bulkup("status", "--json").json()["searchable"] == 4


def test_another_model_embeds_again_and_back_costs_nothing(
    bulkup: Bulkup, service: EmbeddingServer
) -> None:
    photos(bulkup.directory / "photos", 6)
    bulkup("push", "photos", "--to", "store")
    env = access(service)
    del env["BULKUP_EMBED_MODEL"]
    ended = bulkup("embed", "--model", "http", env=env)
    assert "Searchable 6 of 6" in ended.stdout
    assert embedded(bulkup) == {LITE: 6, HTTP: 6}
    assert bulkup("status", "--json").json()["searchable"] == 6
    asks = len(service.requests(PATH))
    assert bulkup("embed").stdout == "Nothing to embed.\n"
    assert bulkup("embed", "--model", "http", env=env).stdout == "Nothing to embed.\n"
    assert len(service.requests(PATH)) == asks
    assert stage(bulkup) == {"done": 6}
    hits = bulkup("search", "--model", "http", "mountain", "--json", env=env).json()
    assert len(hits) == 6
    assert service.requests(PATH)[-1]["modality"] == "text"
    example = bulkup.directory / "photos/003.jpg"
    (hit,) = bulkup("search", "--like", example, "--model", "http", "--limit", "1", "--json").json()
    assert hit["path"] == str(example)


def test_a_photo_that_only_the_other_model_knows_is_embedded_on_the_way_back(
    bulkup: Bulkup, service: EmbeddingServer
) -> None:
    photos(bulkup.directory / "photos", 2)
    bulkup("push", "photos", "--to", "store")
    photos(bulkup.directory / "photos", 1, first=7)
    bulkup("push", "photos", env=access(service))
    assert embedded(bulkup) == {LITE: 2, HTTP: 3}
    bulkup("push", "photos")
    assert embedded(bulkup) == {LITE: 3, HTTP: 3}


def test_a_busy_service_is_waited_for_and_never_asked_too_often(
    bulkup: Bulkup, service: EmbeddingServer
) -> None:
    processed(bulkup, 12)
    service.fault({"status": 429, "headers": {"Retry-After": "2"}})
    slow = access(
        service, BULKUP_EMBED_REQUESTS_PER_MINUTE="120", BULKUP_EMBED_BURST="2",
        BULKUP_EMBED_PICTURES_AS="message",
    )  # fmt: skip
    bulkup("embed", env=slow)
    assert stage(bulkup) == {"done": 12}
    requests = service.requests(PATH)
    assert sorted(one["status"] for one in requests) == 12 * [200] + [429]
    assert [one["status"] for one in requests[:2]].count(429) == 1
    times = [one["at"] for one in requests]
    assert times[2] - times[0] >= 2.0, "only what was under way already goes on"
    for first, start in enumerate(times):  # 2 at once, and 2 a second after that
        for count, at in enumerate(times[first:], 1):
            assert count <= 2 + 2 * (at - start + 0.05), (first, count, at - start)
    assert asked(manifest_of(bulkup), "SELECT attempts FROM item WHERE stage = 'embed'") == 12 * [1]


def test_a_service_that_is_gone_costs_an_attempt_and_the_items_wait(bulkup: Bulkup) -> None:
    processed(bulkup, 3)
    gone = access(f"http://127.0.0.1:{free_port()}/v1")
    before = time.time()
    ended = bulkup("embed", "--patience", "0s", env=gone, check=3)
    assert "network 3" in ended.stdout
    assert stage(bulkup) == {"waiting": 3}
    found = bulkup("status", "--failed", "--json", check=3).json()
    assert {one["error_class"] for one in found} == {"network"}
    assert {one["stage"] for one in found} == {"embed"}
    assert {one["attempts"] for one in found} == {1}
    waits = asked(manifest_of(bulkup), "SELECT due_at FROM item WHERE state = 'waiting'")
    assert all(30 <= due_at - before <= 150 for due_at in waits), waits


def test_a_wrong_key_is_nobodys_fault(bulkup: Bulkup) -> None:
    with embedding.running("--key", "right") as service:
        processed(bulkup, 3)
        ended = bulkup("embed", env=access(service, BULKUP_EMBED_KEY="sk-wrong"), check=4)
        assert "BULKUP_EMBED_KEY" in ended.stderr
        assert "sk-wrong" not in ended.stderr + ended.stdout
        assert stage(bulkup) == {"ready": 3}
        assert asked(manifest_of(bulkup), "SELECT sum(attempts) FROM item WHERE stage='embed'") == [
            0
        ]
        bulkup("embed", env=access(service, BULKUP_EMBED_KEY="right"))
        assert stage(bulkup) == {"done": 3}


@pytest.mark.parametrize("vector", [[1.0, 2.0], [float("nan")] * 8, [0.0] * 8])
def test_what_is_no_vector_is_refused_and_the_others_are_kept(
    bulkup: Bulkup, service: EmbeddingServer, vector: list[float]
) -> None:
    processed(bulkup, 3)
    one_by_one = access(service, BULKUP_EMBED_PICTURES_AS="message", BULKUP_EMBED_DIMENSION="8")
    service.fault(None, {"vector": vector})
    bulkup("embed", env=one_by_one, check=3)
    assert stage(bulkup) == {"done": 2, "dead": 1}
    (found,) = bulkup("status", "--failed", "--json", check=3).json()
    assert found["error_class"] == "invalid"
    assert bulkup("status", "--json").json()["searchable"] == 2


def test_another_dimension_than_the_manifests_is_another_model(
    bulkup: Bulkup, service: EmbeddingServer
) -> None:
    photos(bulkup.directory / "photos", 2)
    bulkup("push", "photos", "--to", "store", env=access(service))
    photos(bulkup.directory / "photos", 2, first=10)
    with embedding.running("--dimension", "16") as other:
        ended = bulkup("push", "photos", env=access(other), check=4)
    assert "16 dimensions instead of 8" in ended.stderr
    assert stage(bulkup) == {"done": 2, "ready": 2}
    assert len(bulkup("search", "--like", "photos/000.jpg", "--json", env=access(service)).json())


def test_a_service_without_a_url_is_said_before_any_work(bulkup: Bulkup) -> None:
    photos(bulkup.directory / "photos", 1)
    ended = bulkup("push", "photos", "--to", "store", env={"BULKUP_EMBED_MODEL": "http"}, check=2)
    assert "embed.url" in ended.stderr
    assert not (bulkup.directory / "store").exists()
    ended = bulkup("push", "photos", env={"BULKUP_EMBED_MODEL": "http"}, check=2)
    bulkup("push", "photos", "--stages", "upload", env={"BULKUP_EMBED_MODEL": "http"})


def test_clip_without_its_model_leaves_the_other_stages_be(bulkup: Bulkup) -> None:
    photos(bulkup.directory / "photos", 3)
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "BULKUP_EMBED_MODEL": "clip"}
    ended = bulkup("push", "photos", "--to", "store", env=nowhere, check=4)
    found = bulkup("status", "--json").json()["stages"]
    assert (found["upload"]["done"], found["process"]["done"]) == (3, 3)
    assert stage(bulkup) == {"ready": 3}
    assert ended.stderr.count("clip") >= 1
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) <= 3, ended.stderr
    bulkup("embed", "--model", "efficientnet-lite0")
    assert stage(bulkup) == {"done": 3}


def test_a_limit_bounds_the_items(bulkup: Bulkup) -> None:
    processed(bulkup, 5)
    bulkup("embed", "--limit", "2")
    assert stage(bulkup) == {"ready": 3, "done": 2}
    bulkup("embed", "--limit", "2")
    assert stage(bulkup) == {"ready": 1, "done": 4}
    bulkup("embed")
    assert stage(bulkup) == {"done": 5}


def test_force_embeds_again_and_the_vectors_stay_the_same(
    bulkup: Bulkup, service: EmbeddingServer
) -> None:
    photos(bulkup.directory / "photos", 3)
    bulkup("push", "photos", "--to", "store", env=access(service))
    query = "SELECT content_id, vector FROM embedding ORDER BY content_id"
    before, asks = asked(manifest_of(bulkup), query), len(service.requests(PATH))
    bulkup("embed", "--force", "--limit", "2", env=access(service))
    assert len(service.requests(PATH)) == asks + 1
    assert asked(manifest_of(bulkup), query) == before
    assert stage(bulkup) == {"done": 3}


def test_six_views_are_another_version_of_the_same_model(bulkup: Bulkup) -> None:
    photos(bulkup.directory / "photos", 2)
    bulkup("push", "photos", "--to", "store")
    bulkup("embed", "--thorough")
    assert embedded(bulkup) == {LITE: 2, SIX_VIEWS: 2}
    (bulkup.directory / "other.jpg").write_bytes(photo(1, quality=60))
    hits = bulkup("search", "--like", "other.jpg", "--json").json()
    assert len(hits) == 2
    assert hits[0]["score"] > 0.9, "the example is looked at from six sides, too"


def test_the_time_is_up(bulkup: Bulkup, service: EmbeddingServer) -> None:
    processed(bulkup, 3)
    service.fault({"hang": 30, "repeat": True})
    began = time.monotonic()
    bulkup("embed", "--max-duration", "1s", env=access(service), check=None)
    assert time.monotonic() - began < 15
    assert stage(bulkup) == {"ready": 3}


def test_four_at_once_embed_each_content_once(bulkup: Bulkup, service: EmbeddingServer) -> None:
    processed(bulkup, 40)
    env = access(service)
    started = [bulkup.start("embed", env=env) for _ in range(4)]
    for one in started:
        bulkup.finish(one, check=0)
    assert stage(bulkup) == {"done": 40}
    assert sum(one["inputs"] for one in service.requests(PATH)) == 40
    assert asked(manifest_of(bulkup), "SELECT attempts FROM item WHERE stage = 'embed'") == 40 * [1]


def test_killed_in_the_middle_and_again(bulkup: Bulkup) -> None:
    processed(bulkup, 120)
    for done in (1, 40):
        run = bulkup.start("embed")
        wait_for(lambda done=done: embedded(bulkup).get(LITE, 0) >= done, "nothing was embedded")
        run.send_signal(signal.SIGKILL)
        bulkup.finish(run)
    bulkup("embed")
    assert stage(bulkup) == {"done": 120}
    assert embedded(bulkup) == {LITE: 120}
    strikes = asked(manifest_of(bulkup), "SELECT strikes FROM item WHERE stage = 'embed'")
    assert sum(strikes) <= 2, "only what was alone in hand has one"


def stored(bulkup: Bulkup) -> dict[str, bytes]:
    return objects_in(bulkup.home / "store")


def kill_once_stored(bulkup: Bulkup, objects: int) -> None:
    """A push that is killed when so many objects are in the store, or ends before."""
    run = bulkup.start("push", "photos")
    wait_for(lambda: len(stored(bulkup)) >= objects or run.poll() is not None, "nothing was stored")
    run.kill()
    bulkup.finish(run)


def test_a_push_of_three_stages_that_is_killed_again_and_again_loses_no_picture(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """Whatever was in hand each time: the death of a run is not the picture's fault."""
    count = 100
    photos(tmp_path / "photos", count)
    for kill in range(10):
        kill_once_stored(bulkup, min(3 * count, len(stored(bulkup)) + 4 + kill))
    bulkup("push", "photos")
    assert stage(bulkup) == {"done": count}
    assert asked(manifest_of(bulkup), "SELECT * FROM failures") == []


def test_whoever_waits_for_a_service_gets_no_strike(
    bulkup: Bulkup, service: EmbeddingServer
) -> None:
    processed(bulkup, 3)
    service.fault({"hang": 30, "repeat": True})
    for asks in (1, 2, 3):
        run = bulkup.start("embed", env=access(service))
        wait_for(lambda asks=asks: len(service.requests(PATH)) >= asks, "nothing was asked")
        run.send_signal(signal.SIGKILL)
        bulkup.finish(run)
    service.reset()
    bulkup("embed", env=access(service))
    assert stage(bulkup) == {"done": 3}
    assert asked(manifest_of(bulkup), "SELECT strikes FROM item WHERE stage = 'embed'") == [0, 0, 0]


def test_a_variant_that_is_gone_is_the_items_own_trouble(bulkup: Bulkup) -> None:
    processed(bulkup, 3)
    previews = sorted((bulkup.directory / "store/.bulkup/preview").rglob("*.jpg"))
    previews[0].unlink()
    bulkup("embed", "--patience", "0s", check=3)
    assert stage(bulkup) == {"waiting": 1, "done": 2}
    (found,) = bulkup("status", "--failed", "--json", check=3).json()
    assert found["error_class"] == "missing"
    assert "process" in found["error"]

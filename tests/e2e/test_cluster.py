"""process and embed on a Dask cluster: a scheduler and workers, which are killed now and then."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import asked, photo, photos
from tests.e2e.trees import access, make_tree, objects_in
from tests.fakes.s3_server import FakeS3
from tests.servers import certificate, dask
from tests.servers.dask import CA_FILE, ENCRYPTED, DaskProcesses
from tests.servers.endpoint import Endpoint
from tests.servers.process import wait_until

ROWS = {
    "pictures": "SELECT lower(hex(digest)), picture.* FROM picture "
    "JOIN content ON content.id = content_id ORDER BY 1",
    "vectors": "SELECT lower(hex(digest)), name, version, vector, classes FROM embedding "
    "JOIN content ON content.id = content_id JOIN embedder ON embedder.id = embedder_id ORDER BY 1",
    "objects": "SELECT key, kind, size_bytes, variant_digest, etag, stored_at IS NOT NULL "
    "FROM object ORDER BY key",
    "items": "SELECT lower(hex(digest)), stage, state, attempts, strikes, error_class, error, "
    "reason FROM item JOIN content ON content.id = content_id ORDER BY 1, 2",
}


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    with dask.running(tmp_path_factory.mktemp("dask"), workers=2) as cluster:
        yield cluster


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[DaskProcesses]:
    """For tests that kill."""
    (tmp_path / "dask").mkdir()
    with dask.running(tmp_path / "dask", workers=2) as cluster:
        yield cluster


def upload(bulkup: Bulkup, count: int, **options: Any) -> Path:
    """Uploaded pictures, whose files are gone; the store."""
    store = bulkup.directory / "store"
    tree = photos(bulkup.directory / "tree", count, **options)
    make_tree(tree, {"broken.jpg": photo(0)[:200], "no picture.jpg": b"words"})
    bulkup("push", tree, "--to", store, "--stages", "upload")
    shutil.rmtree(tree)
    return store


def states(bulkup: Bulkup, stage: str) -> dict[str, int]:
    found = bulkup("status", "--json").json()["stages"][stage]
    return {state: found[state] for state in ("ready", "claimed", "waiting", "done", "dead")}


def rows(bulkup: Bulkup) -> dict[str, list[Any]]:
    return {name: asked(bulkup.home / "manifest.db", query) for name, query in ROWS.items()}


def tasks_begun(bulkup: Bulkup, at_least: int = 1) -> Callable[[], bool]:
    """Whether the store has so many variants already."""
    store = bulkup.directory / "store" / ".bulkup"
    return lambda: len(list(store.glob("thumb/*/*.webp"))) >= at_least


def test_results_are_those_of_one_machine_byte_for_byte(
    bulkup: Bulkup, two_workers: DaskProcesses, tmp_path: Path
) -> None:
    store = upload(bulkup, 10)
    here = Bulkup(tmp_path / "here")
    shutil.copytree(bulkup.home, here.home)
    here("process", check=3)
    here("embed")
    made_here = objects_in(store)
    shutil.rmtree(store / ".bulkup")
    bulkup("process", "--engine", two_workers.url, check=3)
    bulkup("embed", "--engine", two_workers.url)
    assert rows(bulkup) == rows(here)
    kept = {key: body for key, body in objects_in(store).items() if "/manifest/" not in key}
    assert kept == {key: body for key, body in made_here.items() if "/manifest/" not in key}


def test_one_pass_makes_pictures_searchable(bulkup: Bulkup, two_workers: DaskProcesses) -> None:
    upload(bulkup, 5)
    ended = bulkup("process", "--engine", two_workers.url, "--json", check=3)
    assert states(bulkup, "embed")["done"] == 5
    summary = ended.lines()[-1]
    assert (summary["processed"], summary["embedded"]) == (5, 5)
    said = [one["message"] for one in ended.lines() if one["event"] == "notice"]
    assert f"Dask at tcp://{two_workers.address}: 2 workers with 2 slots" in said
    counted = [one for one in ended.lines() if one["event"] == "workers"]
    assert (counted[-1]["workers"], counted[-1]["slots"]) == (2, 2)


def test_a_second_run_has_nothing_to_do_and_asks_no_cluster(
    bulkup: Bulkup, two_workers: DaskProcesses
) -> None:
    store = bulkup.directory / "store"
    bulkup("push", photos(bulkup.directory / "tree", 3), "--to", store, "--stages", "upload")
    bulkup("process", "--engine", two_workers.url)
    bulkup("process", "--engine", "dask://127.0.0.1:1")


def test_embed_works_on_what_another_run_has_processed(
    bulkup: Bulkup, two_workers: DaskProcesses
) -> None:
    upload(bulkup, 4)
    bulkup("process", check=3)
    bulkup("embed", "--engine", two_workers.url)
    assert states(bulkup, "embed")["done"] == 4


def test_a_cluster_of_this_machine_is_started_and_ends(bulkup: Bulkup) -> None:
    upload(bulkup, 3)
    bulkup("process", "--engine", "dask://", env={"BULKUP_WORKERS": "1"}, check=3)
    assert states(bulkup, "embed")["done"] == 3


def test_a_cluster_that_talks_by_tls_only_is_reached_with_dasks_own_settings(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    upload(bulkup, 3)
    settings = dask.encrypted(certificate.make(tmp_path / "tls"))
    (tmp_path / "dask").mkdir()
    with dask.running(tmp_path / "dask", workers=1, environ=settings) as cluster:
        refused = bulkup("process", "--engine", cluster.url, check=4)
        assert "no Dask scheduler answers at tcp://" in refused.stderr
        assert "set distributed.comm.require-encryption" in refused.stderr
        assert "<TCP" not in refused.stderr
        for wrong in ({**settings, CA_FILE: "missing.pem"}, {ENCRYPTED: "true"}):
            refused = bulkup("process", "--engine", cluster.url, env=wrong, check=4)
            assert "Set distributed.comm.tls.ca-file" in refused.stderr
        found = bulkup("doctor", "--engine", cluster.url, "--json", env=settings).json()
        assert {one["level"] for one in found if one["part"] == "engine"} == {"ok"}
        ended = bulkup("process", "--engine", cluster.url, "--json", env=settings, check=3)
    said = [one["message"] for one in ended.lines() if one["event"] == "notice"]
    assert f"Dask at tls://{cluster.address}: 1 workers with 1 slots" in said
    assert states(bulkup, "embed")["done"] == 3
    bulkup(
        "process", "--force", "--engine", "dask://", env=settings | {"BULKUP_WORKERS": "1"}, check=3
    )


def test_workers_that_are_killed_cost_nothing_that_is_not_done_again(
    bulkup: Bulkup, own_cluster: DaskProcesses
) -> None:
    upload(bulkup, 30, width=1200, height=900)
    run = bulkup.start("process", "--engine", own_cluster.url)
    for n in (1, 12):
        wait_until(tasks_begun(bulkup, n), timeout_seconds=60, what="nothing was made")
        own_cluster.workers[-1].kill()
        own_cluster.add_worker()
    bulkup.finish(run, check=3)
    assert states(bulkup, "process")["done"] == states(bulkup, "embed")["done"] == 30
    attempts = asked(
        bulkup.home / "manifest.db",
        "SELECT item_id FROM attempt WHERE outcome = 'done' GROUP BY item_id HAVING count(*) > 1",
    )
    assert attempts == []


def test_a_driver_that_is_killed_is_followed_by_one_that_goes_on(
    bulkup: Bulkup, two_workers: DaskProcesses
) -> None:
    upload(bulkup, 30, width=1200, height=900)
    run = bulkup.start("process", "--engine", two_workers.url)
    wait_until(tasks_begun(bulkup), timeout_seconds=60, what="nothing was made")
    run.kill()
    bulkup.finish(run)
    bulkup("process", "--engine", two_workers.url, check=3)
    assert states(bulkup, "process")["done"] == states(bulkup, "embed")["done"] == 30
    assert asked(bulkup.home / "manifest.db", "SELECT count(*) FROM item WHERE strikes") == [0]


def test_a_scheduler_that_is_gone_ends_the_run_and_items_stay_ready(
    bulkup: Bulkup, own_cluster: DaskProcesses
) -> None:
    upload(bulkup, 30, width=1200, height=900)
    run = bulkup.start("process", "--engine", own_cluster.url)
    wait_until(tasks_begun(bulkup), timeout_seconds=60, what="nothing was made")
    own_cluster.scheduler.kill()
    ended = bulkup.finish(run, check=4)
    assert f"the Dask scheduler at tcp://{own_cluster.address} is gone" in ended.stderr
    found = states(bulkup, "process")
    assert found["claimed"] == found["waiting"] == 0
    assert found["ready"] > 0
    bulkup("process", check=3)
    assert states(bulkup, "process")["done"] == 30


def test_an_interrupt_gives_everything_back(bulkup: Bulkup, two_workers: DaskProcesses) -> None:
    upload(bulkup, 30, width=1200, height=900)
    run = bulkup.start("process", "--engine", two_workers.url)
    wait_until(tasks_begun(bulkup), timeout_seconds=60, what="nothing was made")
    run.send_signal(signal.SIGINT)
    bulkup.finish(run, check=130)
    assert states(bulkup, "process")["claimed"] == 0


def test_no_scheduler_is_said_and_costs_no_attempt(bulkup: Bulkup) -> None:
    upload(bulkup, 2)
    ended = bulkup("process", "--engine", "dask://127.0.0.1:1", check=4)
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in ended.stderr
    assert "dask scheduler" in ended.stderr  # how to start one
    assert asked(bulkup.home / "manifest.db", "SELECT sum(attempts) FROM item") == [4]  # uploads


def test_workers_without_access_are_said_at_the_start_and_not_for_each_picture(
    bulkup: Bulkup, two_workers: DaskProcesses, fake_s3: Callable[..., FakeS3]
) -> None:
    """The driver has keys, the workers have none."""
    server = fake_s3(keep_bodies=True)
    keys = access(server.url)
    tree = photos(bulkup.directory / "tree", 5)
    bulkup("push", tree, "--to", "s3://bucket/p", "--stages", "upload", env=keys)
    ended = bulkup("process", "--engine", two_workers.url, env=keys, check=4)
    assert "no worker at" in ended.stderr
    assert ended.stderr.count("redentials") <= 3
    assert states(bulkup, "process")["ready"] == 0  # none was claimed: the stage has not begun
    assert asked(
        bulkup.home / "manifest.db", "SELECT count(*) FROM item WHERE stage <> 'upload'"
    ) == [0]
    found = bulkup("doctor", "--engine", two_workers.url, "--json", env=keys, check=4).json()
    workers = [one for one in found if one["part"] == "engine" and one["level"] == "failed"]
    assert len(workers) == 2


def test_workers_with_keys_work_on_a_bucket(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    server = fake_s3(keep_bodies=True)
    keys = access(server.url)
    tree = photos(bulkup.directory / "tree", 5)
    bulkup("push", tree, "--to", "s3://bucket/p", "--stages", "upload", env=keys)
    shutil.rmtree(tree)
    (tmp_path / "dask").mkdir()
    with dask.running(tmp_path / "dask", workers=1, slots=2, environ=keys) as cluster:
        bulkup("process", "--engine", cluster.url, env=keys)
        found = bulkup("doctor", "--engine", cluster.url, "--json", env=keys).json()
    assert states(bulkup, "embed")["done"] == 5
    assert [one["level"] for one in found if one["part"] == "engine"] == ["ok", "ok"]


def test_workers_without_keys_work_by_signed_urls(
    bulkup: Bulkup, two_workers: DaskProcesses, s3: Endpoint, tmp_path: Path
) -> None:
    keys = s3.environment
    bucket = s3.make_bucket()
    tree = photos(bulkup.directory / "tree", 6)
    make_tree(tree, {"seven.png": photo(7, format="PNG")})
    bulkup("push", tree, "--to", f"s3://{bucket}/p", "--stages", "upload", env=keys)
    here = Bulkup(tmp_path / "here")
    shutil.copytree(bulkup.home, here.home)
    shutil.rmtree(tree)
    bulkup("process", "--engine", two_workers.url, "--sign", env=keys)
    assert states(bulkup, "embed")["done"] == 7
    assert bulkup("verify", "--deep", "--json", env=keys).json() == []
    here("process", env=keys)  # variants that are there already are kept
    here("embed", "--engine", two_workers.url, "--sign", env=keys)
    for name in ("pictures", "vectors"):
        assert rows(bulkup)[name] == rows(here)[name]


def test_a_directory_has_no_signed_urls(bulkup: Bulkup, two_workers: DaskProcesses) -> None:
    upload(bulkup, 1)
    ended = bulkup("process", "--engine", two_workers.url, "--sign", check=2)
    assert "--sign is for buckets" in ended.stderr


def test_an_extra_that_is_not_installed_is_named(bulkup: Bulkup, tmp_path: Path) -> None:
    upload(bulkup, 1)
    make_tree(tmp_path, {"hidden/dask/__init__.py": b"raise ImportError('no dask here')"})
    env = {"PYTHONPATH": str(tmp_path / "hidden")}
    ended = bulkup("process", "--engine", "dask://", env=env, check=4)
    assert "no dask here" in ended.stderr
    hint = ended.stderr.splitlines()[1]
    assert "dask" in hint or "the extra cluster" in hint  # installed from a wheel, or not
    bulkup("process", env=env, check=3)


@pytest.mark.parametrize("engine", ["ray://host:1", "dask://host", "dask", "tcp://host:8786"])
def test_an_engine_that_is_none_is_a_usage_error(bulkup: Bulkup, engine: str) -> None:
    ended = bulkup("process", "--engine", engine, check=2)
    assert "dask://HOST:PORT" in ended.stderr


def test_a_service_needs_no_cluster(bulkup: Bulkup) -> None:
    ended = bulkup("embed", "--engine", "dask://", "--model", "http", check=2)
    assert "a cluster cannot make it faster" in ended.stderr


def test_worker_processes_end_with_a_killed_worker(
    bulkup: Bulkup, own_cluster: DaskProcesses
) -> None:
    upload(bulkup, 30, width=1200, height=900)
    run = bulkup.start("process", "--engine", own_cluster.url)
    wait_until(tasks_begun(bulkup, 4), timeout_seconds=60, what="nothing was made")
    pids = [worker.pid for worker in own_cluster.workers]
    children = [pid for parent in pids for pid in _children(parent)]
    assert children
    run.kill()
    for worker in own_cluster.workers:
        worker.kill()
    wait_until(
        lambda: not any(_is_alive(pid) for pid in children),
        timeout_seconds=30,
        what="processes stayed",
    )


def _children(pid: int) -> list[int]:
    command = ["ps", "-o", "pid=", "--ppid", str(pid)]
    shown = subprocess.run(command, check=False, capture_output=True, text=True)
    return [int(line) for line in shown.stdout.split()]


def _is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z" not in stat.read_text()

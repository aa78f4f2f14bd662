"""The way to the store: checked and probed once, then as the endpoint allows."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from bulkup.errors import ConditionalWritesUnsupported, StoreBroken, StoreBusy, StoreError
from bulkup.manifest.manifest import Manifest
from bulkup.pace.window import START_LIMIT
from bulkup.stores.store import Capabilities
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3
from tests.fakes.scripted_store import ScriptedStore
from tests.faults.pushing import Pushing, views
from tests.servers.endpoint import Endpoint
from tests.unit.manifest.recording import rows


@pytest.fixture
def unproven(tmp_path: Path, clock: FakeClock, pushing: Pushing) -> ScriptedStore:
    store = ScriptedStore(str(tmp_path / "to"), clock=clock, conditional_writes=None)
    pushing.store = store
    return store


def keys(pushing: Pushing) -> set[object]:
    return {row[3] for row in views(pushing.manifest)["files"]}


def there(pushing: Pushing, files: dict[str, bytes]) -> None:
    """Files that somebody else put where the objects go."""
    Path(pushing.to).mkdir()
    for name, body in files.items():
        Path(pushing.to, name).write_bytes(body)


async def test_the_first_file_proves_the_endpoint_and_that_is_remembered(
    pushing: Pushing, unproven: ScriptedStore
) -> None:
    pushing.write({f"{n}.jpg": bytes([n]) for n in range(4)})
    summary = await pushing.push()
    assert summary.sent == 4
    assert (unproven.calls["check"], unproven.calls["put"]) == (1, 4)
    assert unproven.calls["head"] == 0
    with Manifest(pushing.manifest) as manifest:
        assert manifest.destinations.all()[0].conditional_writes is True


async def test_a_first_key_that_is_taken_by_the_same_content_is_adopted(
    pushing: Pushing, unproven: ScriptedStore
) -> None:
    pushing.write({"a.jpg": b"same", "b.jpg": b"b"})
    there(pushing, {"a.jpg": b"same"})
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent, summary.adopted) == (0, 1, 1)
    assert keys(pushing) == {"a.jpg", "b.jpg"}


async def test_a_look_at_what_is_in_the_way_has_its_tries(
    pushing: Pushing, store: ScriptedStore
) -> None:
    """A server that is busy for a moment costs no attempt there either."""
    pushing.write({"a.jpg": b"same"})
    there(pushing, {"a.jpg": b"same"})
    store.fail("head", StoreBusy("503"), StoreBroken("500"))
    summary = await pushing.push()
    assert (summary.exit_code, summary.adopted, store.calls["head"]) == (0, 1, 3)
    with Manifest(pushing.manifest) as manifest:
        assert rows(manifest, "SELECT state, attempts FROM item") == [("done", 1)]


@pytest.mark.parametrize("error", [StoreBroken("500"), StoreBusy("503")])
async def test_an_endpoint_that_is_down_is_no_fault_of_the_files(
    pushing: Pushing, store: ScriptedStore, error: StoreError
) -> None:
    """Else each file would use up an attempt, and all of them in a long outage."""
    pushing.write({"a.jpg": b"a", "b.jpg": b"b"})
    store.fail("check", error, always=True)
    assert (await pushing.push()).exit_code == 4
    with Manifest(pushing.manifest) as manifest:
        assert rows(manifest, "SELECT state, attempts FROM item") == [("ready", 0)] * 2
    store.recover()
    store.fail("check", error, error, error, error)  # as many as a file's own request may have
    assert (await pushing.push()).sent == 2


@pytest.mark.parametrize("conditional_writes", [None, True])
async def test_keys_taken_by_other_contents_are_left_alone(
    pushing: Pushing, unproven: ScriptedStore, conditional_writes: bool | None
) -> None:
    unproven.capabilities = Capabilities(conditional_writes=conditional_writes)
    there(pushing, {f"{n}.jpg": b"theirs" for n in range(6)})
    pushing.write({f"{n}.jpg": b"ours %d" % n for n in range(6)})
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent) == (0, 6)
    assert all("~" in str(key) for key in keys(pushing))
    assert {(Path(pushing.to) / f"{n}.jpg").read_bytes() for n in range(6)} == {b"theirs"}


@pytest.mark.parametrize("how", ["ignored", "refused"])
async def test_an_endpoint_without_conditional_writes_is_looked_at_first(
    tmp_path: Path, how: str
) -> None:
    with FakeS3(keep_bodies=True, conditional_writes=how) as server:  # type: ignore[arg-type]
        environ = Endpoint(server.url).environment
        pushing = Pushing(tmp_path, "s3://bucket/p", environ)
        pushing.write({f"{n:02}.jpg": b"ours %d" % n for n in range(50)})
        other = Pushing(tmp_path / "other", "s3://bucket/p", environ)
        other.write({"07.jpg": b"theirs", "49.jpg": b"theirs too"})
        assert (await other.push()).sent == 2
        theirs = server.digests
        assert (await pushing.push()).sent == 50
        assert {key: server.digests[key] for key in theirs} == theirs
        assert len(server.held) == 52
        assert server.count("ListObjectsV2") >= 1
        with Manifest(pushing.manifest) as manifest:
            assert manifest.destinations.all()[0].conditional_writes is False


async def test_an_answer_that_got_lost_does_not_make_a_second_object(tmp_path: Path) -> None:
    faults = [Fault(op="PutObject", does="lose", after=2, times=3)]
    with FakeS3(keep_bodies=True, faults=faults) as server:
        pushing = Pushing(tmp_path, "s3://bucket", Endpoint(server.url).environment)
        pushing.clock = FakeClock(endless=(15.0,))
        pushing.write({f"{n}.jpg": b"%d" % n for n in range(8)})
        summary = await pushing.push()
        assert (summary.exit_code, summary.sent + summary.adopted) == (0, 8)
        assert sorted(server.held) == [f"/bucket/{n}.jpg" for n in range(8)]


def test_an_endpoint_that_refuses_the_condition_has_stored_nothing() -> None:
    assert ConditionalWritesUnsupported("501").exit_code == 3


@pytest.mark.parametrize("how", ["honoured", "ignored", "refused"])
async def test_large_bodies_are_not_sent_in_vain_to_an_endpoint_that_nothing_is_known_of(
    tmp_path: Path, how: str
) -> None:
    """The smallest one goes first, and alone, until the endpoint has taken it."""
    with FakeS3(keep_bodies=True, conditional_writes=how) as server:  # type: ignore[arg-type]
        pushing = Pushing(tmp_path, "s3://bucket/p", Endpoint(server.url).environment)
        pushing.clock = FakeClock(endless=(15.0,))  # by which the server is near
        sizes = {f"{n}.jpg": (400 + n) << 10 for n in range(6)} | {"small.jpg": 300 << 10}
        pushing.write(
            {name: bytes([number]) * size for number, (name, size) in enumerate(sizes.items())}
        )
        assert (await pushing.push()).sent == 7
        puts = [one.path for one in server.seen if one.op == "PutObject"]
        assert puts[0] == "/bucket/p/small.jpg"
        assert sum(path != "/bucket/p/small.jpg" for path in puts) == 6
        assert len(server.held) == 7


async def test_a_new_destination_is_checked_while_files_are_still_being_found(
    tmp_path: Path,
) -> None:
    """To a far server the first body leaves a round trip sooner."""
    with FakeS3(keep_bodies=True) as server:
        pushing = Pushing(tmp_path, "s3://bucket/p", Endpoint(server.url).environment)
        pushing.write({"a.jpg": b"a"})
        listed = tmp_path / "list"
        os.mkfifo(listed)
        push = asyncio.create_task(pushing.push(files_from=str(listed)))
        await asyncio.to_thread(server.wait_for, "ListObjectsV2", 1)
        assert server.count("PutObject") == 0
        await asyncio.to_thread(listed.write_text, f"{pushing.root}/a.jpg\n")
        assert (await push).sent == 1
        assert server.count("ListObjectsV2") == 1


async def test_a_destination_that_refuses_does_not_matter_where_nothing_is_found(
    tmp_path: Path,
) -> None:
    faults = [Fault(op="ListObjectsV2", status=403, times=9)]
    with FakeS3(faults=faults) as server:
        pushing = Pushing(tmp_path, "s3://bucket/p", Endpoint(server.url).environment)
        pushing.root.mkdir()
        assert (await pushing.push()).exit_code == 0


async def test_small_bodies_go_side_by_side_to_an_empty_destination(tmp_path: Path) -> None:
    with FakeS3(keep_bodies=True, faults=[Fault(op="PutObject", does="hold")]) as server:
        pushing = Pushing(tmp_path, "s3://bucket/p", Endpoint(server.url).environment)
        pushing.write({f"{n}.jpg": b"%d" % n for n in range(6)})
        push = asyncio.create_task(pushing.push())
        await asyncio.to_thread(server.wait_for, "PutObject", 6)
        server.release()
        assert (await push).sent == 6
        assert server.count("HeadObject") == 0


@pytest.mark.parametrize("size_bytes", [1 << 10, 300 << 10])
@pytest.mark.parametrize("how", ["refused", "refused with 304", "refused with 400"])
async def test_hardly_a_body_is_sent_in_vain_to_an_endpoint_that_refuses_the_condition(
    tmp_path: Path, how: str, size_bytes: int
) -> None:
    """Those that were in flight at the first refusal, and what the probe needs."""
    with FakeS3(conditional_writes=how) as server:  # type: ignore[arg-type]
        pushing = Pushing(tmp_path, "s3://bucket/p", Endpoint(server.url).environment)
        pushing.write({f"{n}.jpg": bytes([n]) * size_bytes for n in range(60)})
        assert (await pushing.push()).sent == 60
        assert len(server.held) == 60
        puts = [one for one in server.seen if one.op == "PutObject"]
        in_vain = [one for one in puts if one.status != 200]
        assert len(in_vain) <= START_LIMIT + 2
        assert all("if-none-match" in one.headers for one in in_vain)
        assert len(puts) == 60 + len(in_vain)


async def test_a_body_is_at_stake_only_until_one_is_accepted(tmp_path: Path) -> None:
    """The second of two puts of one body is answered late: the others do not wait for it."""
    second = Fault(op="PutObject", after=1, does="hold")
    with FakeS3(faults=[second]) as server:
        pushing = Pushing(tmp_path, "s3://bucket/p", Endpoint(server.url).environment)
        pushing.clock = FakeClock(endless=(15.0,))  # by which the server is near
        sizes = {f"{n}.jpg": (300 + n) << 10 for n in range(6)} | {"small.jpg": 1 << 10}
        pushing.write(
            {name: bytes([number]) * size for number, (name, size) in enumerate(sizes.items())}
        )
        push = asyncio.create_task(pushing.push())
        await asyncio.to_thread(server.wait_for, "PutObject", 8)
        server.release()
        assert (await push).sent == 7


async def test_large_bodies_go_side_by_side_to_an_empty_destination_that_is_far(
    tmp_path: Path,
) -> None:
    faults = [
        Fault(op="ListObjectsV2", does="delay", delay_seconds=0.05),
        Fault(op="PutObject", does="hold"),
    ]
    with FakeS3(keep_bodies=True, faults=faults) as server:
        pushing = Pushing(tmp_path, "s3://bucket/p", Endpoint(server.url).environment)
        pushing.write({f"{n}.jpg": bytes([n]) * (400 << 10) for n in range(6)})
        push = asyncio.create_task(pushing.push())
        await asyncio.to_thread(server.wait_for, "PutObject", 6)
        server.release()
        assert (await push).sent == 6


async def test_what_need_not_be_sent_needs_no_destination(tmp_path: Path) -> None:
    """The check begins while files are read, before it is known whether one is sent."""
    pushing = Pushing(tmp_path, str(tmp_path / "there"))
    pushing.write({"a.jpg": b"a"})
    assert (await pushing.push()).sent == 1
    pushing.write({"again.jpg": b"a"})
    store = ScriptedStore(pushing.to, clock=pushing.clock)
    store.fail("check", StoreBroken("no answer"), always=True)
    pushing.store = store
    summary = await pushing.push()
    assert (summary.exit_code, summary.duplicates, summary.error) == (0, 1, None)
    assert store.calls["check"] >= 1


@pytest.mark.parametrize("size_bytes", [1 << 10, 400 << 10])
async def test_connections_are_opened_while_the_destination_is_checked(
    tmp_path: Path, size_bytes: int
) -> None:
    with FakeS3(keep_bodies=True, faults=[Fault(op="ListObjectsV2", does="hold")]) as server:
        pushing = Pushing(tmp_path, "s3://bucket/p", Endpoint(server.url).environment)
        pushing.write({f"{n}.jpg": bytes([n]) * size_bytes for n in range(6)})
        push = asyncio.create_task(pushing.push())
        await asyncio.to_thread(server.wait_for, "ListObjectsV2", 1)
        async with asyncio.timeout(30):
            while server.connections < 6:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
        server.release()
        assert (await push).sent == 6


@pytest.mark.parametrize("size_bytes", [1 << 10, 400 << 10])
async def test_connections_to_a_far_server_are_opened_before_the_window_is(
    tmp_path: Path, size_bytes: int
) -> None:
    """Else each of the bodies that follow the first eight waits a round trip for its own."""
    faults = [
        Fault(op="ListObjectsV2", does="delay", delay_seconds=0.05),
        Fault(op="PutObject", does="hold", times=None),
    ]
    with FakeS3(keep_bodies=True, faults=faults) as server:
        pushing = Pushing(tmp_path, "s3://bucket/p", Endpoint(server.url).environment)
        pushing.write({f"{n}.jpg": bytes([n]) * size_bytes for n in range(40)})
        push = asyncio.create_task(pushing.push())
        async with asyncio.timeout(30):
            while server.connections < 24:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
        assert server.count("PutObject") <= 8
        server.release()
        assert (await push).sent == 40

"""Workers: one that dies costs its own job only."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from bulkup.errors import BulkupError, WorkerLost, WorkerOutOfMemory, WorkerTimeout
from bulkup.process.worker_pool import Workers
from tests.unit.process.jobs import misbehave, pid_and

MEMORY_BYTES = 1 << 30


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    async with Workers(2, memory_bytes=MEMORY_BYTES) as made:
        yield made


def is_running(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def setting(event: asyncio.Event) -> Callable[[], Awaitable[None]]:
    """For `on_begin`."""

    async def on_begin() -> None:
        event.set()

    return on_begin


async def test_results_come_back_to_their_callers(workers: Workers) -> None:
    answers = await asyncio.gather(*(workers.run(pid_and, number) for number in range(200)))
    assert [value for _, value in answers] == list(range(200))
    assert 1 <= len({pid for pid, _ in answers}) <= 2


@pytest.mark.parametrize(
    ("how", "words"),
    [("abort", "SIGABRT"), ("exit", "exited with code 1"), ("kill", "SIGKILL")],
)
async def test_a_worker_that_dies_costs_only_its_job(
    workers: Workers, how: str, words: str
) -> None:
    async def good(number: int) -> object:
        return (await workers.run(pid_and, number))[1]

    before = [good(number) for number in range(20)]
    after = [good(number) for number in range(20, 60)]
    *others, lost = await asyncio.gather(
        *before, *after, workers.run(misbehave, how), return_exceptions=True
    )
    assert others == list(range(60))
    assert isinstance(lost, WorkerLost)
    assert words in str(lost)
    assert await good(1) == 1


@pytest.mark.parametrize("how", ["loop", "sleep"])
async def test_a_job_over_its_time_is_ended_and_the_others_go_on(how: str) -> None:
    async with Workers(2, seconds=0.5) as workers:
        late, *others = await asyncio.gather(
            workers.run(misbehave, how),
            *(workers.run(pid_and, number) for number in range(50)),
            return_exceptions=True,
        )
        assert isinstance(late, WorkerTimeout)
        assert [other[1] for other in others if isinstance(other, tuple)] == list(range(50))
        assert (await workers.run(pid_and, "again"))[1] == "again"


async def test_time_counts_only_from_when_a_worker_has_the_job() -> None:
    """Forty jobs of one worker take longer together than one may; none of them is late."""
    async with Workers(1, seconds=0.5, jobs_each=1) as workers:
        answers = await asyncio.gather(*(workers.run(pid_and, n) for n in range(12)))
    assert len({pid for pid, _ in answers}) == 12


async def test_a_job_that_wants_too_much_memory_is_refused_and_its_worker_lives(
    workers: Workers,
) -> None:
    pid, _ = await workers.run(pid_and, 1)
    with pytest.raises(WorkerOutOfMemory, match="1024 MiB"):
        await workers.run(misbehave, "memory")
    assert (await workers.run(pid_and, 2))[0] == pid


async def test_what_the_job_raises_is_raised_here(workers: Workers) -> None:
    with pytest.raises(ValueError, match="said by the job") as raised:
        await workers.run(misbehave, "raise")
    assert "misbehave" in raised.value.__notes__[0]
    with pytest.raises(RuntimeError, match="Unreadable"):
        await workers.run(misbehave, "raise what cannot be read")


async def test_output_of_libraries_is_discarded(
    workers: Workers, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await workers.run(misbehave, "print") is None
    assert (await workers.run(pid_and, 1))[1] == 1
    assert capfd.readouterr() == ("", "")


async def test_signals_are_left_to_the_parent(workers: Workers) -> None:
    assert await workers.run(misbehave, "end as told") == "went on"


async def test_a_worker_killed_while_idle_costs_no_job(workers: Workers) -> None:
    """Its end is not noticed before it is given the next job."""
    pid, _ = await workers.run(pid_and, 1)
    os.kill(pid, signal.SIGKILL)
    assert (await workers.run(pid_and, 2))[0] != pid


async def test_a_worker_killed_just_before_it_gets_its_job_costs_no_job(workers: Workers) -> None:
    pid, _ = await workers.run(pid_and, 1)
    begun = 0

    async def on_begin() -> None:
        nonlocal begun
        begun += 1
        os.kill(pid, signal.SIGKILL)

    assert (await workers.run(pid_and, 2, on_begin=on_begin))[0] != pid
    assert begun == 1


async def test_workers_are_replaced_after_their_number_of_jobs() -> None:
    async with Workers(1, jobs_each=3) as workers:
        pids = [(await workers.run(pid_and, 0))[0] for _ in range(7)]
        assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


async def test_a_cancelled_caller_kills_its_worker(tmp_path: Path) -> None:
    async with Workers(1) as workers:
        pid, _ = await workers.run(pid_and, 0)
        began = asyncio.Event()
        task = asyncio.create_task(workers.run(misbehave, "sleep", on_begin=setting(began)))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not is_running(pid)
        assert (await workers.run(pid_and, 1))[1] == 1


async def test_close_does_not_wait_for_jobs() -> None:
    workers = Workers(1)
    began = asyncio.Event()
    tasks = [
        asyncio.create_task(workers.run(misbehave, "sleep", on_begin=setting(began)))
        for _ in range(3)
    ]
    await began.wait()
    await workers.close()
    held, *waiting = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(held, WorkerLost)
    assert [type(error) for error in waiting] == [RuntimeError, RuntimeError]


async def test_nothing_runs_after_close() -> None:
    async with AsyncExitStack() as stack:
        workers = await stack.enter_async_context(Workers(2))
        pids = {pid for pid, _ in await asyncio.gather(*(workers.run(pid_and, n) for n in (1, 2)))}
        assert all(is_running(pid) for pid in pids)
    assert not any(is_running(pid) for pid in pids)
    await workers.close()


async def test_a_worker_that_cannot_start_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    async with Workers(1, modules=["no_such_module"]) as workers:
        with pytest.raises(BulkupError, match="does not start"):
            await workers.run(pid_and, 1)
    assert "no_such_module" in capfd.readouterr().err


async def test_modules_in_the_current_folder_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    async with Workers(1) as workers:
        assert (await workers.run(len, "abc")) == 3


async def test_many_jobs_on_four_workers_with_deaths_among_them() -> None:
    ways: list[tuple[Callable[[str], object], str]] = [
        (misbehave, ("abort", "exit", "kill")[n // 40 % 3] if n % 40 == 7 else str(n))
        for n in range(400)
    ]
    async with Workers(4, jobs_each=50) as workers:
        answers = await asyncio.gather(
            *(workers.run(work, job) for work, job in ways), return_exceptions=True
        )
    lost = [n for n, answer in enumerate(answers) if isinstance(answer, WorkerLost)]
    assert lost == list(range(7, 400, 40))
    assert all(answers[n] == str(n) for n in range(400) if n % 40 != 7)

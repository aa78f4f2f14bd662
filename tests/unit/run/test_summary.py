"""The numbers of a summary add up, whatever happened in the run."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkup.errors import StoreBroken, StoreRefused
from bulkup.events import Summary
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.runs import RunRow
from bulkup.operations.resume import ResumeRun
from bulkup.operations.retry import FailureFilter, RetryRun
from bulkup.run.context import RunContext, new_context
from bulkup.run.heartbeat import HEARTBEAT_SECONDS
from bulkup.run.run import Run
from bulkup.run.summary import claims_notice
from bulkup.settings.options import RunOptions
from tests.fakes.clock import FakeClock
from tests.fakes.scripted_store import ScriptedStore
from tests.faults.pushing import Pushing

TREES = st.dictionaries(
    st.sampled_from([f"{folder}{n}.jpg" for folder in ("", "a/", "b/") for n in range(4)]),
    st.sampled_from([b"one", b"two", b"three", b"four", b"five"]),
)
ERRORS = st.lists(
    st.sampled_from([StoreBroken("500"), StoreRefused("no", code="InvalidRequest")]), max_size=6
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["push", "push", "push to another", "resume", "retry"]),
        TREES,
        ERRORS,
        st.sampled_from([None, 1, 3]),  # --limit
    ),
    min_size=1,
    max_size=5,
)


class Places:
    """One tree and two destinations, each with its summaries' promises."""

    def __init__(self, home: Path) -> None:
        self.clock = FakeClock(endless=(HEARTBEAT_SECONDS,))
        self.pushing = Pushing(home, str(home / "to"), clock=self.clock)
        self.pushing.root.mkdir()
        self.home = home
        self.stores: list[ScriptedStore] = []

    async def do(
        self, verb: str, tree: dict[str, bytes], errors: list[Exception], limit: int | None
    ) -> Summary:
        self.pushing.write(tree)
        to = "other" if verb == "push to another" else "to"
        self.pushing.to = str(self.home / to)
        store = ScriptedStore(self.pushing.to, clock=self.clock)
        store.fail("put", *errors)
        if verb.startswith("push"):
            self.pushing.store = store
            return await self.pushing.push(patience_seconds=0.0, limit=limit)
        options = RunOptions(patience_seconds=0.0, limit=limit)
        with Manifest(self.pushing.manifest) as manifest:
            context = self._context(manifest)
            run: Run
            if verb == "resume":
                run = ResumeRun(options, context)
            else:
                run = RetryRun(FailureFilter(), options, context)
            return await asyncio.wait_for(run.run(), 30)

    def _context(self, manifest: Manifest) -> RunContext:
        return new_context(
            manifest,
            clock=self.clock,
            random=Random(1),
            emit=lambda _: None,
            environ={},
            wants_files=True,
        )

    @property
    def files(self) -> int:
        return sum(path.is_file() for path in self.pushing.root.rglob("*"))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_the_files_of_a_push_are_the_sum_of_what_became_of_them(
    steps: list[tuple[str, dict[str, bytes], list[Exception], int | None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        places = Places(Path(folder))
        for verb, tree, errors, limit in steps:
            summary = asyncio.run(places.do(verb, tree, errors, limit))
            upload = dict(summary.stages.get("upload", {}))
            total = upload.pop("total", 0)
            assert total == sum(upload.values())
            assert upload.get("done", 0) == summary.sent + summary.adopted
            if verb.startswith("push"):
                assert total == summary.files == places.files
            elif verb == "resume":
                assert total <= places.files


@pytest.mark.parametrize(("count", "files"), [(1, "1 file is"), (2000, "2,000 files are")])
def test_work_that_another_run_has_claimed_is_said_to_be_there(count: int, files: str) -> None:
    run = RunRow("ab12", "resume", "nas/boot.1", 77, "", 0.0, 0.0)
    said = f"{files} in progress in another run: resume ab12, pid 77 on nas"
    assert str(claims_notice(run, count)) == said

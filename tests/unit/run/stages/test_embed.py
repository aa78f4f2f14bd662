"""The embed stage with an embedder that does as it is told, within a whole push."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from bulkup.content.picture.spec import Format, VariantSpec
from bulkup.embed import open as choice
from bulkup.embed.embedder import Classes, Embedded
from bulkup.errors import (
    DestinationUnreachable,
    EmbedderBusy,
    EmbedderRefused,
    EmbedderUnusable,
    ItemError,
    StoreUnreachable,
)
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.settings.stage_options import EmbedOptions, ProcessOptions
from tests.e2e.pictures import asked, photo
from tests.fakes.clock import FakeClock
from tests.fakes.scripted_store import ScriptedStore
from tests.faults.pushing import Pushing

SMALL = VariantSpec("thumb", 64, Format.WEBP, 80)


@dataclass
class Scripted:
    """An Embedder. `says` looks at the number of a call and may raise."""

    name: str = "efficientnet-lite0"
    version: str = "1"
    dimension: int | None = 2
    most_pictures: int = 4
    calls: list[int] = field(default_factory=list)  # pictures in each
    says: Callable[[int], ItemError | None] = lambda _: None
    looks: Callable[[], None] = lambda: None
    is_closed: bool = False

    async def embed(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        self.calls.append(len(pictures))
        self.looks()
        said = self.says(len(self.calls))
        if said is not None:
            return [said] * len(pictures)
        vector = np.array([1.0, 0.0], np.float32)
        return [Embedded(vector, Classes((3,), (0.5,))) for _ in pictures]

    async def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = Scripted()
    monkeypatch.setattr(choice, "open_embedder", lambda _, **__: made)
    return made


@pytest.fixture
def pushing(tmp_path: Path, clock: FakeClock, store: ScriptedStore) -> Pushing:
    made = Pushing(
        tmp_path,
        str(tmp_path / "to"),
        clock=clock,
        store=store,
        options={
            "stages": ("upload", "process", "embed"),
            "process": ProcessOptions(workers=1, seconds=20.0, variants=(SMALL,)),
            "patience_seconds": 0.0,
        },
    )
    made.root.mkdir()
    return made


def write(pushing: Pushing, count: int, first: int = 0) -> None:
    pushing.write({f"{n}.jpg": photo(n) for n in range(first, first + count)})


def states(pushing: Pushing) -> dict[str, int]:
    query = "SELECT state, count(*) FROM item WHERE stage = 'embed' GROUP BY state"
    return dict(asked(Path(pushing.manifest), query))


def of_items(pushing: Pushing, column: str) -> list[object]:
    query = f"SELECT {column} FROM item WHERE stage = 'embed'"
    return asked(Path(pushing.manifest), query)


async def test_every_picture_is_embedded_in_calls_of_the_embedders_size(
    pushing: Pushing, embedder: Scripted
) -> None:
    write(pushing, 10)
    summary = await pushing.push()
    assert (summary.embedded, summary.exit_code) == (10, 0)
    assert sum(embedder.calls) == 10
    assert max(embedder.calls) <= 4
    assert embedder.is_closed
    assert asked(Path(pushing.manifest), "SELECT vector, classes FROM embedding") == 10 * [
        (np.array([1, 0], "<f2").tobytes(), b"\3\0" + np.array([0.5], "<f2").tobytes())
    ]


async def test_a_call_that_fails_costs_its_own_pictures_alone(
    pushing: Pushing, embedder: Scripted
) -> None:
    def says(call: int) -> None:
        if call == 2:
            raise EmbedderBusy("slow down")

    embedder.says = says
    write(pushing, 12)
    summary = await pushing.push()
    lost = embedder.calls[1]
    assert summary.exit_code == 3
    assert states(pushing) == {"done": 12 - lost, "waiting": lost}
    classes = asked(Path(pushing.manifest), "SELECT DISTINCT error_class FROM failures")
    assert classes == ["rate_limit"]


async def test_what_is_known_is_done_also_when_the_rest_of_its_call_fails(
    pushing: Pushing, embedder: Scripted, tmp_path: Path, store: ScriptedStore
) -> None:
    write(pushing, 2)
    await pushing.push()
    with_more = Pushing(
        tmp_path,
        str(tmp_path / "second"),
        clock=pushing.clock,
        store=ScriptedStore(str(tmp_path / "second"), clock=pushing.clock),
        options=pushing.options,
    )
    write(pushing, 2, first=10)

    def says(_: int) -> None:
        raise EmbedderBusy("slow down")

    embedder.says = says
    await with_more.push()
    assert states(pushing) == {"done": 4, "waiting": 2}


async def test_a_refused_picture_is_dead_and_the_others_done(
    pushing: Pushing, embedder: Scripted
) -> None:
    embedder.most_pictures = 1
    embedder.says = lambda call: EmbedderRefused("not that") if call == 2 else None
    write(pushing, 3)
    summary = await pushing.push()
    assert states(pushing) == {"done": 2, "dead": 1}
    assert summary.failures == {"invalid": 1}


async def test_an_unusable_embedder_ends_its_stage_and_no_other(
    pushing: Pushing, embedder: Scripted
) -> None:
    def says(_: int) -> None:
        raise EmbedderUnusable("no key")

    embedder.says = says
    write(pushing, 5)
    summary = await pushing.push()
    assert (summary.exit_code, summary.sent, summary.processed) == (4, 5, 5)
    assert states(pushing) == {"ready": 5}
    assert of_items(pushing, "attempts") == 5 * [0]
    assert of_items(pushing, "strikes") == 5 * [0]


async def test_only_what_the_embedder_has_is_in_hand(pushing: Pushing, embedder: Scripted) -> None:
    held: list[int] = []

    def looks() -> None:
        held.append(sum(of_items(pushing, "in_hand")))  # type: ignore[arg-type]

    embedder.looks = looks
    embedder.most_pictures = 100
    write(pushing, 6)
    await pushing.push()
    assert held
    assert all(held)
    assert sum(of_items(pushing, "in_hand")) == 0  # type: ignore[arg-type]


async def test_a_service_elsewhere_has_nothing_in_its_hands(
    pushing: Pushing, embedder: Scripted
) -> None:
    held: list[int] = []

    def looks() -> None:
        held.append(sum(of_items(pushing, "in_hand")))  # type: ignore[arg-type]

    embedder.name, embedder.looks = "http", looks
    write(pushing, 3)
    await pushing.push(embed=EmbedOptions(model="http"))
    assert set(held) == {0}


async def test_an_unreachable_store_is_no_strike_and_no_attempt(
    pushing: Pushing, embedder: Scripted, store: ScriptedStore
) -> None:
    write(pushing, 2)
    await pushing.push(stages=("upload", "process"))
    store.fail("open", StoreUnreachable("reset"), always=True)
    store.fail("check", DestinationUnreachable("nothing answers"), always=True)
    summary = await pushing.push(stages=("embed",))
    assert summary.exit_code == 4
    assert states(pushing) == {"ready": 2}
    assert of_items(pushing, "attempts") == [0, 0]
    assert of_items(pushing, "strikes") == [0, 0]
    assert not embedder.calls


async def test_another_dimension_under_the_same_name_is_told(
    pushing: Pushing, embedder: Scripted
) -> None:
    write(pushing, 1)
    await pushing.push()
    embedder.dimension = 3
    write(pushing, 1, first=5)
    summary = await pushing.push()
    assert summary.exit_code == 4
    assert states(pushing) == {"done": 1, "ready": 1}


async def test_the_dimension_is_remembered_for_an_embedder_that_does_not_know_it(
    pushing: Pushing, embedder: Scripted
) -> None:
    write(pushing, 1)
    await pushing.push()
    embedder.dimension = None
    write(pushing, 1, first=5)
    await pushing.push()
    assert embedder.dimension == 2


def test_one_picture_a_request_is_one_an_attempt(clock: FakeClock) -> None:
    def most(**options: object) -> int:
        return LazyEmbedder(EmbedOptions(**options), clock, None).most_items  # type: ignore[arg-type]

    assert most() == 16
    assert most(model="http") == 8
    assert most(model="http", api="replicate") == 1
    assert most(model="http", pictures_as="message") == 1

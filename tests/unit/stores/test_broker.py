"""A `bulkup serve` that has gone wrong, or another program in its place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bulkup.errors import CredentialsRefused, DestinationError, StoreBusy, StoreRefused
from bulkup.model import Digest
from bulkup.stores.attributes import Attributes
from bulkup.stores.broker.calls import Calls
from bulkup.stores.broker.store import BrokerStore
from tests.fakes.clock import FakeClock
from tests.unit.stores.raw_server import answer, raw_server

TOKEN = "bku_0123456789abcdefghij"


def at_server(
    answer_to: Callable[[Any], tuple[int, Any]],
    use: Callable[[BrokerStore], Awaitable[Any]],
    token: str = TOKEN,
) -> int:
    """Use a store whose server answers JSON with JSON; the number of requests that came."""

    async def run() -> int:
        async with raw_server() as server:

            def answered(head: str) -> bytes:
                sent = server.bodies[-1]
                status, found = answer_to(json.loads(sent) if sent else None)
                kind = "application/json" if status < 300 else "application/problem+json"
                body = json.dumps(found).encode()
                return answer(status, body, content_type=kind, retry_after="20")

            server.answer_to = answered
            calls = Calls(server.url, server.url, token, ca_pem=None, clock=FakeClock())
            store = BrokerStore(server.url, calls)
            try:
                await use(store)
            finally:
                await store.close()
            return len(server.heads)

    return asyncio.run(run())


async def _send(store: BrokerStore, key: str = "a.jpg") -> None:
    await store.put(
        key, b"abc", digest=Digest("ab" * 32), attributes=Attributes("image/jpeg"), exclusive=True
    )


def test_a_server_that_is_always_too_busy_is_given_up() -> None:
    async def send(store: BrokerStore) -> None:
        with pytest.raises(StoreBusy, match="too many calls"):
            await _send(store)

    problem = {"detail": "too many calls", "error_class": "rate_limit"}
    assert 10 < at_server(lambda _: (429, problem), send) < 25  # five minutes of them


def test_a_listing_of_empty_pages_ends() -> None:
    pages = iter(range(1, 99))

    async def list_all(store: BrokerStore) -> None:
        with pytest.raises(DestinationError, match="no files"):
            async for _ in store.list():
                pass

    asked = at_server(lambda _: (200, {"files": [], "next": "a" * next(pages)}), list_all)
    assert asked == 1


def test_the_token_is_in_no_answer_about_one_of_several_files() -> None:
    problem = {"status": 400, "detail": f"not with {TOKEN}", "hint": f"not {TOKEN}"}

    def refuse(document: Any) -> tuple[int, Any]:
        if "files" in document:
            return 200, {"uploads": [problem for _ in document["files"]]}
        return 400, problem

    async def send_three(store: BrokerStore) -> None:
        sends = (_send(store, f"{n}.jpg") for n in range(3))
        for error in await asyncio.gather(*sends, return_exceptions=True):
            assert isinstance(error, StoreRefused)
            assert "not with ***" in str(error)
            assert TOKEN not in f"{error} {error.hint}"

    assert at_server(refuse, send_three) < 3


@pytest.mark.parametrize("odd", ["\n", "\r\n", " ", "\x00", "\u201c"])
def test_a_token_that_no_header_holds_is_refused_by_the_name_of_its_variable(odd: str) -> None:
    async def check(store: BrokerStore) -> None:
        with pytest.raises(CredentialsRefused, match="BULKUP_TOKEN") as caught:
            await store.check()
        assert "bku_" not in f"{caught.value} {caught.value.hint}"

    assert at_server(lambda _: (200, {}), check, f"bku_01234{odd}56789") == 0

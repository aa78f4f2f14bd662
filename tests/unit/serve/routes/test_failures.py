"""Failures: listed, filtered, retried as a run of their own."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from bulkup.manifest.server import ServerManifest
from bulkup.serve.context import ServerContext
from tests.unit.serve.library import Library


async def test_a_failure_with_its_reason_and_its_attempts(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    found = (await viewer.get("/api/v1/failures")).json()

    (failure,) = found["failures"]
    assert failure["path"] == f"{library.folder}/broken.jpg"
    assert (failure["stage"], failure["state"]) == ("process", "dead")
    assert failure["error_class"] == "invalid"
    assert failure["history"][0]["outcome"] == "failed"
    assert found["counts"] == [
        {"stage": "process", "state": "dead", "error_class": "invalid", "items": 1}
    ]
    assert found["next"] is None


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("stage=process", 1),
        ("stage=upload", 0),
        ("class=invalid", 1),
        ("class=network", 0),
        ("state=waiting", 0),
        ("path=broken*", 1),
        ("path=other*", 0),
        ("cursor=1", 0),
    ],
)
async def test_failures_are_filtered(viewer: httpx.AsyncClient, query: str, count: int) -> None:
    found = (await viewer.get(f"/api/v1/failures?{query}")).json()

    assert len(found["failures"]) == count


async def test_a_viewer_does_not_retry(viewer: httpx.AsyncClient) -> None:
    assert (await viewer.post("/api/v1/failures/retry")).status_code == 403
    assert (await viewer.post("/api/v1/work/process?limit=10")).status_code == 403


@pytest.mark.parametrize(
    "document",
    [
        {"stage": "all"},
        {"class": 1},
        {"items": []},
        {"items": ["1"]},
        {"items": [True]},
        {"items": [-1]},
        {"path": "a\0"},
        {"--to": "x"},
        [],
    ],
)
async def test_a_wrong_request_starts_nothing(
    operator: httpx.AsyncClient, document: Any, context: ServerContext
) -> None:
    found = await operator.post("/api/v1/failures/retry", json=document)

    assert found.status_code == 422
    assert not context.child_runs.is_running("retry")
    assert (await operator.post("/api/v1/failures/retry", content="{")).status_code == 400


async def ended(operator: httpx.AsyncClient, run: str) -> dict[str, Any]:
    """The notification of the run's end."""
    async with asyncio.timeout(60):
        while True:
            found = (await operator.get("/api/v1/notifications")).json()
            for one in found["notifications"]:
                if one["run"] == run:
                    return dict(one)
            await asyncio.sleep(0.05)


async def test_a_retry_is_a_run_that_tries_again_and_is_reported(
    operator: httpx.AsyncClient, manifest: ServerManifest
) -> None:
    (failure,) = (await operator.get("/api/v1/failures")).json()["failures"]

    found = await operator.post("/api/v1/failures/retry", json={"items": [failure["item"]]})

    assert found.status_code == 202
    end = await ended(operator, found.json()["run"])
    assert (end["command"], end["exit_code"], end["read"]) == ("retry", 3, False)
    (again,) = (await operator.get("/api/v1/failures")).json()["failures"]
    assert again["attempts"] > failure["attempts"]

    assert (await operator.post("/api/v1/notifications/read")).json()["read"] >= 1
    assert (await operator.get("/api/v1/notifications")).json()["unread"] == 0


async def test_half_a_character_is_no_pattern(
    operator: httpx.AsyncClient, context: ServerContext
) -> None:
    """JSON may hold one, and no program takes it as an argument."""
    found = await operator.post("/api/v1/failures/retry", content=b'{"path": "\\ud800"}')

    assert found.status_code == 422
    assert not context.child_runs.is_running("retry")

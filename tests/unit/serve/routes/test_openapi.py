"""The description of the API names every route, and what it says of responses holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from bulkup.serve.app import API
from tests.unit.serve.library import Library

READS = (
    "/stats", "/files", "/files/{digest}", "/search?q=trip", "/similar/{digest}", "/duplicates",
    "/failures", "/notifications",
)  # fmt: skip


@pytest.fixture
async def document(stranger: httpx.AsyncClient) -> dict[str, Any]:
    found = await stranger.get("/api/v1/openapi.json")
    assert found.status_code == 200
    return dict(found.json())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


async def test_it_names_every_route_and_no_other(document: dict[str, Any]) -> None:
    routes = {
        (method, re.sub(r":\w+}", "}", one.path))
        for one in API
        if isinstance(one, Route)
        for method in (one.methods or set()) - {"HEAD"}
    }

    assert {(method, path) for method, path, _ in operations(document)} == routes


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for found in re.findall(r"'\$ref': '#/([^']+)'", str(document)):
        at: Any = document
        for name in found.split("/"):
            at = at[name]


async def test_parameters_in_paths_are_described(document: dict[str, Any]) -> None:
    names = set()
    for _, path, operation in operations(document):
        described = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert described == set(re.findall(r"{(\w+)}", path))
        assert operation["operationId"] not in names
        names.add(operation["operationId"])


async def test_roles_are_those_of_the_routes(
    document: dict[str, Any], stranger: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    for method, path, operation in operations(document):
        url = "/api/v1" + re.sub(r"{\w+}", "1", path)
        role = operation["description"].removeprefix("Role: ").rstrip(".")
        if path in ("/events", "/uploads/{id}/body"):  # endless; its URL is its key
            continue
        code = (await stranger.request(method, url)).status_code
        assert (code == 401) is (role != "everybody"), path
        code = (await viewer.request(method, url)).status_code
        assert (code == 403) is (role in ("uploader", "operator")), path


async def test_every_error_is_described_as_a_problem(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        errors = {code: one for code, one in operation["responses"].items() if code >= "400"}
        assert "default" in errors, path
        assert {str(one) for one in errors.values()} == {
            "{'$ref': '#/components/responses/Problem'}"
        }


@pytest.mark.parametrize("path", READS)
async def test_responses_are_as_described(
    document: dict[str, Any], viewer: httpx.AsyncClient, library: Library, path: str
) -> None:
    found = await viewer.get("/api/v1" + path.format(digest=library.digest("trip/1.jpg")))
    described = document["paths"][path.partition("?")[0]]["get"]["responses"]["200"]

    assert found.status_code == 200
    check(found.json(), described["content"]["application/json"]["schema"], document, path)


TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "object": (dict,), "array": (list,), "null": (type(None),),
}  # fmt: skip


def check(value: Any, schema: dict[str, Any], document: dict[str, Any], at: str) -> None:
    """Whether the value is as the schema says, for the keywords that the description uses."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    assert not kinds or isinstance(value, tuple(t for kind in kinds for t in TYPES[kind])), at
    if "enum" in schema:
        assert value in schema["enum"], at
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema.get("required", ())) <= set(value), at
        assert set(value) <= set(schema["properties"]) or at.endswith("history"), at
        for name, one in value.items():
            check(one, schema["properties"][name], document, f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        for one in value:
            check(one, schema["items"], document, f"{at}[]")


@pytest.mark.parametrize("signature", ["£", "%ff", "", "x" * 5000])
async def test_a_signature_of_any_kind_is_refused(
    stranger: httpx.AsyncClient, signature: str
) -> None:
    url = f"/api/v1/uploads/0/body?part=0&expires=1&signature={signature}"

    assert (await stranger.put(url)).status_code == 403

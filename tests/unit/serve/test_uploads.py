"""Uploads to a directory, by URLs of the server's own."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from hashlib import sha256
from unittest.mock import ANY
from urllib.parse import parse_qs, urlsplit

import pytest

from bulkup.serve.tokens import Role
from bulkup.settings.load import load

MIB = 1024**2
PHOTO = b"a photo" * 1000


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def settings(tmp_path, store):
    flags = {"manifest": str(tmp_path / "manifest.db"), "to": str(store)}
    loaded = load(flags, {}, tmp_path, warn=print)
    run = replace(loaded.run, part_threshold_bytes=6 * MIB, part_size_bytes=5 * MIB)
    return replace(loaded, run=run)


def announced(body=PHOTO, name="a.jpg", **fields):
    digest = sha256(body).hexdigest()
    return {"name": name, "size_bytes": len(body), "sha256": digest, **fields}


async def begin(client, body=PHOTO, name="a.jpg", **fields):
    response = await client.post("/api/v1/uploads", json=announced(body, name, **fields))
    return response.status_code, response.json()


async def put(client, found, body=PHOTO):
    """Send the body, without a token: the URL is enough."""
    response = await client.put(
        found["url"], content=body, headers={**found["headers"], "authorization": ""}
    )
    return response.status_code


async def complete(client, found, **fields):
    response = await client.post(f"/api/v1/uploads/{found['upload_id']}/complete", json=fields)
    return response.status_code, response.json()


async def upload(client, body=PHOTO, name="a.jpg", **fields):
    status, found = await begin(client, body, name, **fields)
    assert status == 201
    assert await put(client, found, body) == 200
    status, done = await complete(client, found)
    assert status == 200
    return done


def objects(store):
    return {
        os.path.relpath(os.path.join(folder, name), store)
        for folder, _, names in os.walk(store)
        if ".bulkup" not in folder
        for name in names
    }


async def test_an_upload_becomes_an_object_and_a_file(uploader, store, manifest, clock):
    status, found = await begin(uploader, modified_at="2026-05-01T10:00:00+02:00", path="x/a.jpg")
    assert status == 201
    assert found["method"] == "PUT"
    assert found["expires_at"] == "2027-01-15T08:05:00Z"
    assert await put(uploader, found) == 200
    status, done = await complete(uploader, found)
    assert (status, done["duplicate"], done["key"]) == (200, False, "x/a.jpg")
    assert (store / "x/a.jpg").read_bytes() == PHOTO
    assert (store / "x/a.jpg").stat().st_mtime == 1_777_622_400


async def test_what_is_there_is_not_sent_again(uploader, store):
    await upload(uploader)
    digest = sha256(PHOTO).hexdigest()
    assert await begin(uploader, name="other.jpg") == (
        200,
        {"duplicate": True, "digest": digest, "key": "a.jpg"},
    )
    page = (await uploader.get("/api/v1/uploads")).json()
    assert [one["path"] for one in page["files"]] == ["a.jpg", "other.jpg"]
    assert objects(store) == {"a.jpg"}


async def test_a_name_may_have_its_folder_and_no_time(uploader):
    status, found = await begin(uploader, name="x/b.jpg", modified_at=None, path=None)
    assert (status, found["path"], found["key"]) == (201, "x/b.jpg", "x/b.jpg")
    assert (await begin(uploader, name="b.jpg", path="x"))[1] == found | {"url": ANY}


async def test_files_are_listed_in_pages(uploader):
    """In UTF-8 byte order, each once, and only those with the prefix."""
    names = ["a/b", "a-b", "a.b", "a/c/d", "a0", "B", "é", "z/z"]
    for name in names:
        await upload(uploader, name.encode(), path=name, name=name.rpartition("/")[2])
    expected = sorted(names, key=str.encode)
    found, after = [], ""
    while after is not None:
        query = {"after": after, "limit": 3}
        page = (await uploader.get("/api/v1/uploads", params=query)).json()
        found += [one["path"] for one in page["files"]]
        after = page["next"]
    assert found == expected
    page = (await uploader.get("/api/v1/uploads", params={"prefix": "a/"})).json()
    assert [one["path"] for one in page["files"]] == ["a/b", "a/c/d"]
    page = (await uploader.get("/api/v1/uploads", params={"path": "a/b"})).json()
    assert [one["size_bytes"] for one in page["files"]] == [3]


async def test_two_clients_with_one_content_make_one_object(client_of, store):
    one, two = client_of(Role.UPLOADER), client_of(Role.UPLOADER)
    (_, first), (_, second) = await begin(one, name="a.jpg"), await begin(two, name="b.jpg")
    assert first["upload_id"] != second["upload_id"]
    assert (await put(one, first), await put(two, second)) == (200, 412)
    assert (await complete(two, second))[1]["duplicate"] is False
    assert (await complete(one, first))[1]["duplicate"] is True
    assert objects(store) == {"a.jpg"}


async def test_the_same_announcement_goes_on_with_the_same_upload(uploader):
    first, second = await begin(uploader), await begin(uploader)
    assert first[1]["upload_id"] == second[1]["upload_id"]


async def test_another_content_gets_another_name(uploader, store):
    await upload(uploader)
    done = await upload(uploader, b"other", name="a.jpg")
    digest = sha256(b"other").hexdigest()
    assert (done["path"], done["key"]) == (f"a~{digest[:8]}.jpg",) * 2
    assert objects(store) == {"a.jpg", done["key"]}
    status, problem = await begin(uploader, b"third", name="a.jpg", rename=False)
    assert (status, problem["status"]) == (409, 409)


async def test_a_file_that_was_there_before_is_not_overwritten(uploader, store):
    """Its key is another one; the client asks for a fresh URL and sends again."""
    _, found = await begin(uploader)
    store.joinpath("a.jpg").write_bytes(b"somebody's")
    assert await put(uploader, found) == 412
    assert (await complete(uploader, found))[0] == 409
    fresh = (await uploader.post(f"/api/v1/uploads/{found['upload_id']}/url")).json()
    assert await put(uploader, fresh) == 200
    _, done = await complete(uploader, found)
    assert done["key"] == f"a~{sha256(PHOTO).hexdigest()[:8]}.jpg"
    assert (store / "a.jpg").read_bytes() == b"somebody's"


async def test_a_url_ends_after_five_minutes(uploader, store, clock):
    _, found = await begin(uploader)
    clock.advance(301)
    assert await put(uploader, found) == 403
    fresh = (await uploader.post(f"/api/v1/uploads/{found['upload_id']}/url")).json()
    assert await put(uploader, fresh) == 200


async def test_a_url_is_for_one_length_one_digest_and_one_upload(uploader, store):
    _, found = await begin(uploader)
    _, other = await begin(uploader, b"x" * len(PHOTO), name="b.jpg")
    assert await put(uploader, found, PHOTO + b"x") == 400
    assert await put(uploader, found, PHOTO[:-1]) == 400
    assert await put(uploader, found, PHOTO[::-1]) == 422
    moved = {**found, "url": found["url"].replace(found["upload_id"], other["upload_id"])}
    assert await put(uploader, moved) == 403
    for change in ("expires", "part", "signature"):
        value = parse_qs(urlsplit(found["url"]).query)[change][0]
        forged = found["url"].replace(f"{change}={value}", f"{change}=9{value}")
        assert await put(uploader, {**found, "url": forged}) == 403
    assert objects(store) == set()


async def test_nothing_sent_is_nothing_to_complete(uploader):
    _, found = await begin(uploader)
    assert (await complete(uploader, found))[0] == 409


async def test_an_etag_must_be_that_of_the_object(uploader, store):
    _, found = await begin(uploader)
    sent = await uploader.put(found["url"], content=PHOTO, headers=found["headers"])
    status, problem = await complete(uploader, found, etag='"0123"')
    assert (status, "ETag" in problem["detail"]) == (422, True)
    assert (await complete(uploader, found, etag=5))[0] == 422
    assert (await uploader.get("/api/v1/uploads")).json()["files"] == []
    status, done = await complete(uploader, found, etag=sent.headers["etag"])
    assert (status, done["duplicate"]) == (200, False)
    assert objects(store) == {"a.jpg"}


async def test_a_completion_that_is_asked_for_twice_is_the_same(uploader):
    _, found = await begin(uploader)
    await put(uploader, found)
    assert await complete(uploader, found) == await complete(uploader, found)


LARGE = b"0123456789abcdef" * (12 * MIB // 16)


async def send_parts(client, found, body, numbers):
    size = found["parts"]["part_bytes"]
    for number in numbers:
        path = f"/api/v1/uploads/{found['upload_id']}/parts/{number}"
        signed = (await client.post(path)).json()
        part = body[(number - 1) * size : number * size]
        assert await put(client, signed, part) == 200
        assert await put(client, signed, part + b"x") == 400


async def test_large_files_are_sent_in_parts(uploader, store):
    status, found = await begin(uploader, LARGE, name="film.mov")
    assert (status, found["parts"]) == (201, {"part_bytes": 5 * MIB, "count": 3})
    assert (found["method"], found["headers"], "url" in found) == ("PUT", {}, False)
    await send_parts(uploader, found, LARGE, [3, 1])
    assert (await complete(uploader, found))[0] == 409
    again = (await begin(uploader, LARGE, name="film.mov"))[1]  # after the client was killed
    assert again["upload_id"] == found["upload_id"]
    listed = (await uploader.get(f"/api/v1/uploads/{found['upload_id']}/parts")).json()["parts"]
    assert [(p["number"], p["size_bytes"]) for p in listed] == [(1, 5 * MIB), (3, 2 * MIB)]
    await send_parts(uploader, found, LARGE, [2])
    listed = (await uploader.get(f"/api/v1/uploads/{found['upload_id']}/parts")).json()["parts"]
    named = [{"PartNumber": p["number"], "ETag": p["etag"]} for p in listed]
    status, done = await complete(uploader, found, parts=named)
    assert (status, done["duplicate"]) == (200, False)
    assert (store / "film.mov").read_bytes() == LARGE


async def test_parts_of_other_bytes_leave_nothing(uploader, store):
    _, found = await begin(uploader, LARGE, name="film.mov")
    await send_parts(uploader, found, LARGE[::-1], [1, 2, 3])
    assert (await complete(uploader, found))[0] == 422
    assert objects(store) == set()
    assert (await complete(uploader, found))[0] == 404


async def test_an_upload_may_be_given_up(uploader, store):
    _, found = await begin(uploader, LARGE, name="film.mov")
    await send_parts(uploader, found, LARGE, [1])
    response = await uploader.delete(f"/api/v1/uploads/{found['upload_id']}")
    assert response.status_code == 204
    assert list((store / ".bulkup/parts").iterdir()) == []
    assert (await complete(uploader, found))[0] == 404


@pytest.mark.parametrize(
    "media_type",
    ["text/html", "text/javascript", "image/svg+xml", "image/SVG+XML", "image/svg+xml; charset=x",
     "image/x+xml", "application/xhtml+xml"],
)  # fmt: skip
async def test_what_was_uploaded_runs_no_scripts_here(uploader, media_type):
    body = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    done = await upload(uploader, body, "a.svg", media_type=media_type)
    found = await uploader.get(f"/api/v1/original/{done['digest']}")
    assert found.content == body
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["content-disposition"].startswith("attachment")
    policy = found.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "; sandbox" in policy
    assert "allow-scripts" not in policy


async def test_what_nobody_completes_is_given_up_after_a_day(uploader, store, clock, manifest):
    _, whole = await begin(uploader)
    assert await put(uploader, whole) == 200
    _, large = await begin(uploader, LARGE, name="film.mov")
    await send_parts(uploader, large, LARGE, [1])
    clock.advance(86_399)
    await begin(uploader, b"1", name="1.jpg")
    assert objects(store) == {"a.jpg"}
    clock.advance(86_400)
    await begin(uploader, b"2", name="2.jpg")
    assert objects(store) == set()
    assert list((store / ".bulkup/parts").iterdir()) == []
    assert (await complete(uploader, whole))[0] == 404


async def test_what_nobody_completes_is_given_up_though_nobody_else_announces(
    uploader, store, context
):
    _, whole = await begin(uploader)
    assert await put(uploader, whole) == 200
    cleaning = asyncio.create_task(context.broker.clean_regularly())
    async with asyncio.timeout(30):  # the cleaning tells nobody
        while objects(store):  # noqa: ASYNC110
            await asyncio.sleep(0)
        while (await complete(uploader, whole))[0] != 404:
            pass
    cleaning.cancel()


async def test_others_uploads_are_none_of_a_clients_business(client_of):
    one, two = client_of(Role.UPLOADER), client_of(Role.UPLOADER)
    _, found = await begin(one)
    await put(one, found)
    assert (await complete(two, found))[0] == 404
    assert (await two.get("/api/v1/uploads")).json()["files"] == []
    assert (await complete(client_of(Role.OPERATOR), found))[0] == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"sha256": "x" * 64},
        {"sha256": None},
        {"size_bytes": -1},
        {"size_bytes": "7"},
        {"size_bytes": True},
        {"size_bytes": 2**63},
        {"name": ""},
        {"name": None},
        {"name": 7},
        {"path": "../a.jpg"},
        {"path": "/etc/a.jpg"},
        {"path": "a//a.jpg"},
        {"path": "x/./a.jpg"},
        {"path": ".bulkup/a.jpg"},
        {"name": "a\nb"},
        {"name": "\ud800.jpg"},
        {"name": "n" * 300},
        {"path": "d/" * 600 + "a.jpg"},
        {"media_type": "no type"},
        {"media_type": 7},
        {"media_type": "text/html\r\nx: y"},
        {"modified_at": "yesterday"},
        {"modified_at": []},
        {"modified_at": 1e400},
        {"rename": "no"},
        {"rename": None},
    ],
)
async def test_announcements_that_are_none_are_refused(uploader, store, fields):
    body = json.dumps({**announced(), **fields})
    response = await uploader.post("/api/v1/uploads", content=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert objects(store) == set()


async def test_several_files_are_announced_in_one_call(uploader, store):
    """Each gets the answer that it would have got alone; it takes one from the limit."""
    await upload(uploader, b"was there", "there.jpg")
    files = [
        *(announced(b"%d" % n, f"{n}.jpg") for n in range(60)),
        announced(b"was there", "copy.jpg"),
        announced(b"other bytes", "there.jpg", rename=False),
        announced(b"no path", "../x.jpg"),
        "no object",
    ]
    before = (await uploader.get("/api/v1/stats")).headers["x-ratelimit-remaining"]
    response = await uploader.post("/api/v1/uploads/batch", json={"files": files})
    assert response.status_code == 200
    assert int(response.headers["x-ratelimit-remaining"]) == int(before) - 1
    found = response.json()["uploads"]
    assert [one["status"] for one in found] == [201] * 60 + [200, 409, 422, 422]
    assert found[60]["duplicate"]
    assert "there.jpg is another file" in found[61]["detail"]
    for n, one in enumerate(found[:60]):
        assert await put(uploader, one, b"%d" % n) == 200
        assert (await complete(uploader, one))[0] == 200
    assert objects(store) == {"there.jpg", *(f"{n}.jpg" for n in range(60))}


@pytest.mark.parametrize("files", [None, [], {}, "x", [{}] * 101])
async def test_lists_of_announcements_are_bounded(uploader, files):
    response = await uploader.post("/api/v1/uploads/batch", json={"files": files})
    assert response.status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        *(b"[]", b"{", b"\xff", b"7", b"null", b"[" * 30_000 + b"]" * 30_000),
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"size_bytes": ' + b"9" * 5000 + b"}",
        b'{"name": "\\ud800", "size_bytes": 1, "sha256": "%s"}' % (b"0" * 64),
        b'{"name": "a", "size_bytes": 1e400, "sha256": "%s"}' % (b"0" * 64),
        b'{"name": "a", "size_bytes": 1, "sha256": "%s", "modified_at": NaN}' % (b"0" * 64),
        b'{"name": "a", "size_bytes": 1, "sha256": "%s", "modified_at": -1e308}' % (b"0" * 64),
    ],
)
async def test_bodies_that_are_no_announcement_are_refused(uploader, body):
    assert (await uploader.post("/api/v1/uploads", content=body)).status_code in (400, 422)


async def test_compressed_bodies_are_named_as_what_is_not_understood(uploader, store):
    _, found = await begin(uploader)
    gzip = {**found["headers"], "content-encoding": "gzip"}
    complete_url = f"/api/v1/uploads/{found['upload_id']}/complete"
    refusals = [
        await uploader.post("/api/v1/uploads", content=b"{}", headers=gzip),
        await uploader.post(complete_url, headers=gzip),
        await uploader.post("/search-by-example", content=PHOTO, headers=gzip),
        await uploader.put(found["url"], content=PHOTO, headers=gzip),
    ]
    assert [one.status_code for one in refusals] == [415] * 4
    assert {one.headers["accept-encoding"] for one in refusals} == {"identity"}
    assert objects(store) == set()
    plain = {**found["headers"], "content-encoding": "identity"}
    assert (await uploader.put(found["url"], content=PHOTO, headers=plain)).status_code == 200


async def test_viewers_and_strangers_upload_nothing(viewer, stranger):
    assert (await begin(viewer))[0] == 403
    assert (await begin(stranger))[0] == 401


async def test_announcements_are_limited(uploader):
    done = [(await begin(uploader, b"%d" % i, name=f"{i}.jpg"))[0] for i in range(105)]
    assert done == [201] * 100 + [429] * 5


async def test_an_announced_upload_outlives_a_run_that_ends_meanwhile(uploader, store, manifest):
    """Nothing is stored there yet: a run forgets destinations that it took for misspelt."""
    _, found = await begin(uploader)
    manifest.garbage.forget_useless("another")
    assert await put(uploader, found) == 200
    assert (await complete(uploader, found))[0] == 200
    assert objects(store) == {"a.jpg"}

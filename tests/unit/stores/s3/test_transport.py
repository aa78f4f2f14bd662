"""What leaves over the wire, and what comes of every kind of answer."""

from __future__ import annotations

import asyncio
import ssl
import threading
import weakref
from base64 import b64decode
from hashlib import sha256

import pytest
from pyreqwest.client import ClientBuilder

from bulkup.clock import SystemClock
from bulkup.errors import (
    ConditionalWritesUnsupported,
    CredentialsExpired,
    CredentialsRefused,
    DestinationError,
    DestinationUnreachable,
    KeyTaken,
    StoreBroken,
    StoreBusy,
    StoreForbidden,
    StoreRefused,
    StoreUnreachable,
    WrongRegion,
)
from bulkup.model import Attributes, Digest, Part
from bulkup.stores.open import Access, open_store
from bulkup.stores.s3.connections.tls import split_pem
from bulkup.stores.s3.credentials import Credentials
from bulkup.stores.s3.endpoint import Address
from bulkup.stores.s3.sigv4 import encode_path
from bulkup.stores.s3.store import S3Store
from bulkup.stores.s3.transport import S3Transport
from bulkup.stores.store import Capabilities
from tests.servers.certificate import NEEDED
from tests.servers.certificate import make as make_certificate
from tests.servers.packages import missing
from tests.unit.stores.raw_server import OK, answer, raw_server, refusal

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "very-secret"}
ABLE = Capabilities(conditional_writes=True, checksums=True)
DIGEST = sha256(b"x").hexdigest()


def open_at(url, capabilities=ABLE, **environ):
    return open_store(
        "s3://bucket/p",
        Access(endpoint_url=url),
        environ={**KEYS, **environ},
        clock=SystemClock(),
        capabilities=capabilities,
    )


def open_with(url, *, uses_pool):
    """Through the pool, or all of it through pyreqwest."""
    mine = credentials(None, url=url, good_for_seconds=None)
    transport = S3Transport("bucket", mine, ca_pem=None, clock=SystemClock(), uses_pool=uses_pool)
    return S3Store("s3://bucket", "", transport, ABLE)


async def put(store, key="p/k", body=b"x", **options):
    options = {"attributes": Attributes(), "exclusive": True, **options}
    return await store.put(key, body, digest=sha256(body).hexdigest(), **options)


@pytest.mark.parametrize(
    "key",
    ["a//b", "//a", "x%2e", "a%2F..", "%2e%2e", 'q"u\'o`t', "a|b^c{d}e[f]", "s p", "a+b", "...",
     "é/日本", "a\\b", "\t\n\x00", "?x=1&y#z", ".a", "a/.b", "a..", "a/b/"],
)  # fmt: skip
async def test_keys_reach_the_server_as_they_were_signed(key):
    """No parser between us and the socket rewrites the path."""
    async with raw_server() as server:
        store = open_at(server.url)
        await put(store, key)
        assert server.targets == ["/bucket/" + encode_path(key)]
        await store.close()


async def test_a_put_holds_what_the_store_must_know():
    """Digest three times (payload, checksum, metadata), the condition, attributes; one body."""
    async with raw_server() as server:
        store = open_at(server.url, AWS_SESSION_TOKEN="tok/en==")
        attributes = Attributes("image/png", {"name": "ß"}, "max-age=1", "GLACIER", {"a b": "c&d"})
        await put(store, attributes=attributes)
        expected = {
            "content-length": "1",
            "content-type": "image/png",
            "x-amz-content-sha256": DIGEST,
            "x-amz-meta-sha256": DIGEST,
            "x-amz-meta-name": "%C3%9F",
            "if-none-match": "*",
            "cache-control": "max-age=1",
            "x-amz-storage-class": "GLACIER",
            "x-amz-tagging": "a+b=c%26d",
            "x-amz-security-token": "tok/en==",
        }
        for name, value in expected.items():
            assert server.header(name) == [value]
        assert b64decode(server.header("x-amz-checksum-sha256")[0]).hex() == DIGEST
        assert server.bodies == [b"x"]
        assert "very-secret" not in server.heads[0]
        await store.close()


class Memory(bytearray):
    """Bytes that can be watched for their release."""


def viewed(size):
    """A view of fresh bytes, what it holds, and an event for when nothing refers to it."""
    memory = Memory(i * 7 % 251 for i in range(size))
    is_free = threading.Event()
    weakref.finalize(memory, is_free.set)
    return memoryview(memory)[10:], bytes(memory[10:]), is_free


@pytest.mark.parametrize("size", [20_000, 3_000_000])
async def test_a_view_arrives_whole_and_is_released(size):
    """Over the pool and over pyreqwest: after the answer its memory can be used again."""
    async with raw_server() as server:
        store = open_at(server.url)
        view, expected, is_free = viewed(size)
        await put(store, body=view)
        assert server.bodies == [expected]
        del view
        assert await asyncio.to_thread(is_free.wait, 10)
        await store.close()


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_view_is_held_as_long_as_it_is_sent(is_cancelled):
    """What was answered early, or is not waited for any more, may still be read from; when the
    connection is closed it is free."""
    has_come, may_end, server_ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        has_come.set()
        if not is_cancelled:
            writer.write(answer(503))
            await writer.drain()
        await may_end.wait()
        writer.transport.abort()
        server_ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    store = open_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    view, _, is_free = viewed(30_000_000)  # more than fits between here and there
    sending = asyncio.create_task(put(store, body=view))
    await has_come.wait()
    if is_cancelled:
        sending.cancel()
    with pytest.raises(asyncio.CancelledError if is_cancelled else StoreBusy):
        await sending
    del view, sending
    may_end.set()
    await server_ended.wait()
    await store.close()
    for _ in range(100):
        if await asyncio.to_thread(is_free.wait, 0.1):
            break
        ClientBuilder()  # with each call pyreqwest gives back what its threads have dropped
    assert is_free.is_set()
    server.close()


async def test_empty_bodies_say_so():
    """PUT without Content-Length is refused by AWS (411)."""
    async with raw_server() as server:
        store = open_at(server.url)
        await put(store, body=b"")
        assert server.header("content-length") == ["0"]
        await store.close()


async def test_nothing_is_tried_again():
    """One refusal, one request: retries are the caller's."""
    async with raw_server() as server:
        server.answers = [answer(500)]
        store = open_at(server.url)
        with pytest.raises(Exception, match="500"):
            await put(store)
        assert len(server.heads) == 1
        await store.close()


async def test_a_dropped_connection_is_unreachable():
    """And its message holds neither URL nor signature, nor words of a library."""
    async with raw_server() as server:
        server.answers = [b""] * 3
        store = open_at(server.url)
        with pytest.raises(StoreUnreachable) as caught:
            await put(store)
        assert str(caught.value) == "the server closed the connection before it had answered"
        await store.close()


async def test_a_short_body_is_unreachable_not_short():
    """An object that ends before its Content-Length raises: it is no shorter object."""
    async with raw_server() as server:
        server.answers = [b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", b""]
        server.close_after = True
        store = open_at(server.url)
        with pytest.raises(StoreUnreachable):
            async for _ in store.open("p/k"):
                pass
        await store.close()


async def test_a_closed_port_is_unreachable():
    """check() ends the run with a hint; put is a matter of the item."""
    store = open_at("http://127.0.0.1:9")
    with pytest.raises(DestinationUnreachable) as caught:
        await store.check()
    assert "--endpoint-url" in caught.value.hint
    with pytest.raises(StoreUnreachable):
        await put(store)
    await store.close()


async def test_what_is_no_s3_endpoint():
    """A web page with status 200 is not mistaken for a bucket."""
    async with raw_server() as server:
        server.answers = [answer(200, b"<!DOCTYPE html><html></html>")]
        store = open_at(server.url)
        with pytest.raises(DestinationError) as caught:
            await store.check()
        assert "--endpoint-url" in caught.value.hint
        await store.close()


async def test_a_cache_that_answers_304_means_no_condition():
    """Such an endpoint differs from one where the key is taken."""
    async with raw_server() as server:
        server.answers = [answer(304), answer(412)]
        store = open_at(server.url)
        with pytest.raises(ConditionalWritesUnsupported):
            await put(store)
        with pytest.raises(KeyTaken):
            await put(store)
        await store.close()


async def test_a_header_that_cannot_be_sent_is_refused():
    """No line end gets into the request head."""
    async with raw_server() as server:
        store = open_at(server.url)
        with pytest.raises(StoreRefused) as caught:
            await put(store, attributes=Attributes(cache_control="a\r\nx-evil: 1"))
        assert "cache-control" in str(caught.value)
        assert "x-evil" not in str(caught.value)
        assert server.heads == []
        await store.close()


async def test_an_answer_that_repeats_the_request_reveals_no_secret():
    """Authorization, session token and keys are replaced, also in codes and request ids."""
    token = "the-session-token-of-a-role"
    keys = (token, KEYS["AWS_SECRET_ACCESS_KEY"], KEYS["AWS_ACCESS_KEY_ID"])

    def repeat(head):
        said = head.replace("<", "") + " ".join(keys)
        return refusal(403, f"No{token}", said, x_amz_request_id=token)

    async with raw_server() as server:
        server.answer_to = repeat
        store = open_at(server.url, AWS_SESSION_TOKEN=f"{token}\n")
        with pytest.raises(StoreForbidden) as caught:
            await put(store)
        signature = server.header("authorization")[0].rpartition("Signature=")[2]
        assert server.header("x-amz-security-token") == [token]
        texts = f"{caught.value} {caught.value.code} {caught.value.request_id}"
        assert "***" in texts
        assert not [secret for secret in (*keys, signature) if secret in texts]
        await store.close()


def listing(keys, token=None):
    """A page of keys of one letter, with the token of a next page."""
    rows = "".join(f"<Contents><Key>p/{key}</Key><Size>1</Size></Contents>" for key in keys)
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
    return answer(
        200, f"<ListBucketResult>{rows}{more if token else ''}</ListBucketResult>".encode()
    )


@pytest.mark.parametrize(
    "endless",
    [
        lambda number: listing("a", "same"),
        lambda number: listing(chr(ord("a") + number), "same"),
        lambda number: listing("", str(number)),
        lambda number: listing("ab", str(number)),
        lambda number: listing("ba"[number % 2], str(number)),
    ],
    ids=["one page", "a repeated token", "no keys", "the same keys", "keys in turn"],
)
async def test_a_listing_without_an_end_is_the_fault_of_the_destination(endless):
    async with raw_server() as server:
        server.answer_to = lambda head: endless(len(server.heads))
        store = open_at(server.url)
        with pytest.raises(DestinationError) as caught:
            async for _ in store.list("p/"):
                pass
        assert "does not end" in str(caught.value)
        assert len(server.heads) < 10
        await store.close()


async def test_a_page_without_keys_does_not_end_a_listing():
    async with raw_server() as server:
        server.answers = [listing("a", "1"), listing("", "2"), listing("b")]
        store = open_at(server.url)
        assert [[info.key for info in page] async for page in store.list("p/")] == [
            ["p/a"],
            ["p/b"],
        ]
        await store.close()


async def test_open_uploads_and_parts_that_are_repeated_for_ever_are_the_destination_s_fault():
    def repeat(head):
        if "uploadId=" in head:
            return answer(
                200,
                b"<ListPartsResult><UploadId>u</UploadId><IsTruncated>true</IsTruncated>"
                b"<NextPartNumberMarker>1</NextPartNumberMarker><Part><PartNumber>1</PartNumber>"
                b"<Size>1</Size><ETag>e</ETag></Part></ListPartsResult>",
            )
        return answer(
            200,
            b"<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>%d"
            b"</NextKeyMarker><Upload><Key>k</Key><UploadId>u</UploadId></Upload>"
            b"</ListMultipartUploadsResult>" % len(server.heads),
        )

    async with raw_server() as server:
        server.answer_to = repeat
        store = open_at(server.url)
        with pytest.raises(DestinationError):
            await store.list_parts("p/k", "u")
        with pytest.raises(DestinationError):
            async for _ in store.list_uploads("p/"):
                pass
        assert len(server.heads) < 20
        await store.close()


async def test_all_listings_ask_for_keys_in_url_encoding():
    async with raw_server() as server:
        server.answer_to = lambda head: listing("")
        store = open_at(server.url)
        await store.check()
        await store.served_at()
        assert [page async for page in store.list("p/")] == []
        assert ["encoding-type=url" in target for target in server.targets] == [True] * 3
        await store.close()


def credentials(token, *, region_given=True, good_for_seconds=60.0, url=None):
    return Credentials("AKID", "secret", token, "us-east-1", region_given, url, good_for_seconds)


class FixedClock(SystemClock):
    """Stands still until `seconds` is changed."""

    seconds = 1_700_000_000.0

    def now(self):
        return self.seconds


async def test_expired_keys_are_renewed_once():
    """The second try has the new token; a second refusal is the caller's."""
    async with raw_server() as server:
        tokens = iter(["old", "new", "new", "new"])
        clock = FixedClock()
        transport = S3Transport(
            "bucket",
            lambda refresh: credentials(next(tokens), url=server.url),
            ca_pem=None,
            clock=clock,
        )
        store = S3Store("s3://bucket", "", transport, ABLE)
        server.answers = [refusal(400, "ExpiredToken"), OK, refusal(400, "ExpiredToken")]
        await put(store)
        assert server.header("x-amz-security-token") == ["new"]
        with pytest.raises(CredentialsExpired):
            await put(store)
        clock.seconds += 61
        await put(store)
        assert next(tokens, None) is None
        await store.close()


@pytest.mark.skipif(bool(missing(NEEDED)), reason="needs openssl")
async def test_a_certificate_for_another_name_asks_for_no_authority(tmp_path):
    """As of a bucket with dots in the host name, below a wildcard's certificate."""
    certificate = make_certificate(tmp_path)  # for 127.0.0.1
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate.chain, certificate.key)
    async with await asyncio.start_server(lambda *_: None, "127.0.0.2", 0, ssl=tls) as server:
        url = f"https://127.0.0.2:{server.sockets[0].getsockname()[1]}"
        transport = S3Transport(
            "my.bucket",
            lambda refresh: credentials(None, url=url),
            ca_pem=certificate.ca.read_bytes(),
            clock=FixedClock(),
        )
        for method, body in (("GET", b""), ("PUT", b"small")):
            with pytest.raises(StoreUnreachable) as caught:
                await transport.send(method, "k", {}, body=body)
            assert "--addressing-style path" in caught.value.hint
        await transport.close()


@pytest.mark.skipif(bool(missing(NEEDED)), reason="needs openssl")
async def test_no_unknown_certificate_is_taken_even_after_plain_http(tmp_path):
    """Where there is no TLS certificates are not looked at; the client of another address does."""
    certificate = make_certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate.chain, certificate.key)
    async with raw_server() as plain, raw_server(tls) as secured:
        urls = iter([plain.url, secured.url])
        clock = FixedClock()
        transport = S3Transport(
            "bucket", lambda refresh: credentials(None, url=next(urls)), ca_pem=None, clock=clock
        )
        await transport.send("GET", None, {})
        clock.seconds += 61
        with pytest.raises(StoreUnreachable) as caught:
            await transport.send("GET", None, {})
        assert "--ca-bundle" in caught.value.hint
        with pytest.raises(StoreUnreachable) as caught:
            await transport.send("PUT", "k", {}, body=b"small")
        assert "--ca-bundle" in caught.value.hint
        assert len(plain.heads) == 1
        assert secured.heads == []
        await transport.close()
        ca_pem = certificate.ca.read_bytes()
        trusting = S3Transport(
            "bucket", credentials(None, url=secured.url), ca_pem=ca_pem, clock=clock
        )
        await trusting.send("GET", None, {})
        await trusting.send("PUT", "k", {}, body=b"small")
        await trusting.send("PUT", "k", {}, body=b"large" * 60_000)
        assert [len(body) for body in secured.bodies] == [0, 5, 300_000]
        await trusting.close()


@pytest.mark.parametrize("uses_pool", [True, False])
async def test_without_the_pool_pyreqwest_sends_everything(uses_pool):
    """So that both can be measured. Only the pool sends what was signed ahead."""
    async with raw_server() as server:
        store = open_with(server.url, uses_pool=uses_pool)
        await put(store)
        assert server.bodies == [b"x"]
        is_pyreqwest = not server.heads[-1].split("\r\n")[1].startswith("host:")
        assert is_pyreqwest is not uses_pool
        assert (store.request_signer() is None) is not uses_pool
        await store.close()


async def test_a_refused_head_is_asked_why():
    """An answer to HEAD has no body: expired keys would look like the object's fault."""
    async with raw_server() as server:
        store = open_at(server.url)
        for code, expected in (
            ("ExpiredToken", CredentialsExpired),
            ("AccessDenied", StoreForbidden),
        ):
            server.answers = [answer(403), refusal(403, code)]
            with pytest.raises(expected) as caught:
                await store.head("p/k")
            assert caught.value.code == code
        assert [head.split(" ")[0] for head in server.heads] == ["HEAD", "GET"] * 2
        await store.close()


async def test_an_error_inside_a_success_is_an_error():
    """CopyObject and CompleteMultipartUpload answer 200 before they know."""
    late = answer(200, b"<Error><Code>InternalError</Code></Error>")
    async with raw_server() as server:
        store = open_at(server.url)
        server.answers = [late, late, answer(200, b"")]
        with pytest.raises(StoreBroken):
            await store.copy("p/a", "p/b", size_bytes=1, exclusive=False)
        with pytest.raises(StoreBroken):
            await store.complete_parts("p/b", "u", [Part(1, 1, "e")], exclusive=False)
        with pytest.raises(StoreBroken):
            await store.copy("p/a", "p/b", size_bytes=1, exclusive=False)
        await store.close()


async def test_no_keys_at_all_is_said_at_the_first_request():
    """Not when the store is opened: that must stay cheap."""

    def none(*, refresh):
        raise CredentialsRefused("no credentials were found")

    transport = S3Transport("bucket", none, ca_pem=None, clock=SystemClock())
    with pytest.raises(CredentialsRefused):
        await S3Store("s3://bucket", "", transport, ABLE).check()


async def test_follows_aws_to_the_right_region(monkeypatch):
    """Where no region was given, once; the new requests are signed for it."""
    async with raw_server() as server:
        host = server.url.removeprefix("http://")
        monkeypatch.setattr(
            "bulkup.stores.s3.session.locate",
            lambda bucket, **_: Address(server.url, host, "", is_aws=True),
        )
        moved = refusal(301, "PermanentRedirect", x_amz_bucket_region="eu-west-3")
        for given in (False, True):
            server.answers = [moved]
            mine = credentials(None, region_given=given, good_for_seconds=None)
            transport = S3Transport("bucket", mine, ca_pem=None, clock=SystemClock())
            store = S3Store("s3://bucket", "", transport, ABLE)
            if given:
                with pytest.raises(WrongRegion) as caught:
                    await put(store)
                assert caught.value.region == "eu-west-3"
                assert "--region eu-west-3" in caught.value.hint
            else:
                await put(store)
                assert "/eu-west-3/s3/aws4_request" in server.header("authorization")[0]
            await store.close()


def test_bundles_are_split():
    """Each certificate by itself, comments left out."""
    one = b"-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n"
    assert split_pem(b"# first\n" + one + b"# second\n" + one) == [one, one]


@pytest.mark.parametrize("uses_pool", [True, False])
async def test_a_page_in_answer_to_a_put_is_no_object(uses_pool):
    """A portal answers 200 to everything. An endpoint that sends no ETag is one all the same."""
    page = answer(200, b"<html>Sign in</html>", content_type="text/html")
    async with raw_server() as server:
        store = open_with(server.url, uses_pool=uses_pool)
        server.answers = [page, page, answer(200)]
        with pytest.raises(DestinationUnreachable, match="a page came"):
            await put(store)
        with pytest.raises(DestinationUnreachable, match="a page came"):
            await store.put_part("k", "u", 1, b"x", digest=Digest("ab" * 32))
        await put(store)
        await store.close()


@pytest.mark.parametrize("uses_pool", [True, False])
async def test_a_page_is_no_object_that_was_read(uses_pool):
    """Whoever reads it is told of the portal, not of a damaged object."""
    page = answer(200, b"<!DOCTYPE html><html>Sign in", content_type="text/html; charset=utf-8")
    async with raw_server() as server:
        store = open_with(server.url, uses_pool=uses_pool)
        server.answers = [page] * 5
        for read in (
            lambda: store.read("k"),
            lambda: store.read_into("k", memoryview(bytearray(99))),
            lambda: anext(store.open("k")),
            lambda: store.delete("k"),
            lambda: store.abort_parts("k", "u"),
        ):
            with pytest.raises(DestinationUnreachable, match="a page came"):
                await read()
        await store.close()


async def test_a_portal_that_answers_head_has_no_object():
    async with raw_server() as server:
        server.answers = [answer(200, content_type="text/html")]
        store = open_at(server.url)
        with pytest.raises(DestinationUnreachable):
            await store.head("p/k")
        await store.close()


async def test_a_page_that_was_stored_is_an_object():
    page = answer(200, b"<html>mine</html>", content_type="text/html", etag='"1"')
    kept = answer(200, b"<html>mine</html>", content_type="text/html", x_amz_meta_sha256="0")
    async with raw_server() as server:
        server.answers = [page, kept]
        store = open_at(server.url)
        assert await store.read("p/k") == await store.read("p/k") == b"<html>mine</html>"
        await store.close()


async def test_an_error_document_in_answer_to_a_put_is_that_error():
    """With status 200, as some gateways send it."""
    async with raw_server() as server:
        server.answers = [answer(200, b"<Error><Code>SlowDown</Code></Error>")]
        store = open_at(server.url)
        with pytest.raises(StoreBusy, match="SlowDown"):
            await put(store)
        await store.close()

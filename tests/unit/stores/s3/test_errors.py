"""Each refusal of an endpoint becomes the error that says what to do about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup import errors
from bulkup.stores.s3.errors import Refusal, classify, retry_after_seconds
from bulkup.stores.s3.http1 import Response

NOW = 1_700_000_000.0
OPTION_HEADERS = ("x-amz-storage-class", "x-amz-tagging", "cache-control")


def refusal(status, code=None, *, message="", extra="", headers=None, conditional=False):
    body = f"<Error><Code>{code}</Code><Message>{message}</Message>{extra}</Error>" if code else ""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {text}" for name, text in (headers or {}).items())]
    response = Response(status, "\r\n".join(lines), body.encode())
    return Refusal(response, "key 'k'", NOW, conditional)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (503, "SlowDown", errors.StoreBusy),
        (503, None, errors.StoreBusy),
        (429, None, errors.StoreBusy),
        (400, "RequestLimitExceeded", errors.StoreBusy),
        (400, "XAmzContentSHA256Mismatch", errors.SourceChanged),
        (400, "BadDigest", errors.SourceChanged),
        (412, "PreconditionFailed", errors.KeyTaken),
        (412, None, errors.KeyTaken),
        (409, "ConditionalRequestConflict", errors.StoreBroken),
        (409, "PreconditionFailed", errors.StoreBroken),
        (409, "NoSuchKey", errors.StoreBroken),
        (409, None, errors.StoreBroken),
        (409, "FileAlreadyExists", errors.KeyTaken),
        (408, None, errors.StoreBroken),
        (423, None, errors.StoreBroken),
        (425, None, errors.StoreBroken),
        (421, None, errors.StoreBroken),
        (460, None, errors.StoreBroken),
        (499, "ClientDisconnected", errors.StoreBroken),
        (408, "RequestTimeout", errors.StoreBroken),
        (403, "InvalidAccessKeyId", errors.CredentialsRefused),
        (403, "SignatureDoesNotMatch", errors.CredentialsRefused),
        (401, None, errors.CredentialsRefused),
        (400, "ExpiredToken", errors.CredentialsExpired),
        (403, "RequestExpired", errors.CredentialsExpired),
        (400, "TokenRefreshRequired", errors.CredentialsExpired),
        (403, "RequestTimeTooSkewed", errors.ClockSkewed),
        (403, "AccessDenied", errors.StoreForbidden),
        (403, None, errors.StoreForbidden),
        (451, None, errors.StoreForbidden),
        (402, None, errors.CredentialsRefused),
        (302, None, errors.DestinationUnreachable),
        (407, None, errors.DestinationUnreachable),  # a proxy
        (511, None, errors.DestinationUnreachable),  # a portal
        (303, None, errors.DestinationUnreachable),
        (308, None, errors.DestinationUnreachable),
        (404, "NoSuchBucket", errors.BucketMissing),
        (404, "NoSuchKey", errors.ObjectMissing),
        (404, "NoSuchUpload", errors.ObjectMissing),
        (404, None, errors.ObjectMissing),
        (301, "PermanentRedirect", errors.WrongRegion),
        (301, None, errors.WrongRegion),
        (507, None, errors.StoreFull),
        (403, "QuotaExceeded", errors.StoreFull),
        (500, "InternalError", errors.StoreBroken),
        (502, None, errors.StoreBroken),
        (400, "RequestTimeout", errors.StoreBroken),
        (501, "NotImplemented", errors.RequestUnsupported),
        (405, "MethodNotAllowed", errors.RequestUnsupported),
        (411, "MissingContentLength", errors.RequestUnsupported),
        (400, "EntityTooLarge", errors.StoreRefused),
        (400, None, errors.StoreRefused),
        (304, None, errors.StoreRefused),
    ],
)
def test_codes(status, code, expected):
    """The code decides, and the status where there is none."""
    assert type(classify(refusal(status, code))) is expected


def test_a_conditional_write_that_met_a_deletion_is_tried_again():
    """The object is not missing: it was to be written."""
    assert type(classify(refusal(404, "NoSuchKey", conditional=True))) is errors.StoreBroken
    assert type(classify(refusal(404, "NoSuchUpload", conditional=True))) is errors.ObjectMissing


def test_conditions_not_understood():
    """501 and 304 to a conditional write say that the endpoint does none."""
    for status in (304, 501):
        error = classify(refusal(status, conditional=True))
        assert type(error) is errors.ConditionalWritesUnsupported


def test_the_region_is_named():
    """From the header or the document; the hint repeats it."""
    from_header = refusal(400, "AuthorizationHeaderMalformed", headers={"x-amz-bucket-region": "a"})
    in_document = refusal(400, "AuthorizationHeaderMalformed", extra="<Region>a</Region>")
    head = refusal(400, headers={"x-amz-bucket-region": "a"})
    for error in map(classify, (from_header, in_document, head)):
        assert isinstance(error, errors.WrongRegion)
        assert (error.region, error.hint) == ("a", "Use --region a.")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}, 10.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:10 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({"x-amz-retry-after": "1500"}, 1.5),
        ({"x-ratelimit-reset": "30"}, 30.0),
        ({"x-ratelimit-reset": "1700000042"}, 42.0),
        ({"retry-after": "2", "x-amz-retry-after": "9000"}, 2.0),
    ],
)
def test_the_wait_that_the_endpoint_asks_for(headers, seconds):
    """Retry-After first; nonsense counts as none."""
    assert retry_after_seconds(refusal(503, headers=headers)) == seconds
    busy = classify(refusal(503, "SlowDown", headers=headers))
    assert isinstance(busy, errors.StoreBusy)
    assert busy.retry_after_seconds == seconds


def test_the_clock_error_says_by_how_much():
    """From the Date header of the answer."""
    headers = {"date": "Tue, 14 Nov 2023 21:13:20 GMT"}
    hint = classify(refusal(403, "RequestTimeTooSkewed", headers=headers)).hint
    assert hint is not None
    assert "3600 s ahead of" in hint


def test_request_ids_are_kept():
    """An operator needs them to ask the provider's support."""
    error = classify(refusal(500, "InternalError", headers={"x-amz-request-id": "R1"}))
    assert isinstance(error, errors.StoreError)
    assert (error.request_id, error.code) == ("R1", "InternalError")


@pytest.mark.parametrize(
    ("status", "code", "message", "words"),
    [
        (403, "SecondLevelDomainForbidden", "", "--addressing-style virtual"),
        (403, "PathStyleDomainForbidden", "", "--addressing-style virtual"),
        (400, "VirtualHostDomainRequired", "", "--addressing-style virtual"),
        (
            400,
            "InvalidRequest",
            "Path-style access is not supported.",
            "--addressing-style virtual",
        ),
        (405, "Denied", "Please use virtual hosted style", "--addressing-style virtual"),
        (400, "Unsupported", "virtual-hosted requests are disabled", "--addressing-style path"),
        (400, "Unsupported", "Only path-style URLs", "--addressing-style path"),
        (403, "AccessDenied", "", "permission"),
        (403, "UserSuspended", "", "suspended"),
        (403, "InvalidAccessKeyId", "", "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "", "AWS_SECRET_ACCESS_KEY"),
        (403, "InvalidToken", "", "AWS_SESSION_TOKEN"),
    ],
)
def test_a_refusal_s_hint_fits_its_code(status, code, message, words):
    error = classify(refusal(status, code, message=message))
    assert words in error.hint
    assert error.code == code


@pytest.mark.parametrize(
    "body",
    [
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"<center>The plain HTTP request was sent to HTTPS port</center>",
        b"Reason: You're speaking plain HTTP to an SSL-enabled server port.",
    ],
)
def test_a_port_that_expects_tls_is_recognised(body):
    error = classify(Refusal(Response(400, "HTTP/1.1 400", body), "bucket 'b'", NOW))
    assert isinstance(error, errors.DestinationUnreachable)
    assert "https://" in error.hint


def test_only_a_missing_permission_is_called_one():
    assert classify(refusal(403, "SomethingElse", message="why")).hint is None
    page = Response(403, "HTTP/1.1 403", b"<html>Blocked by the firewall</html>")
    assert "--endpoint-url" in classify(Refusal(page, "bucket 'b'", NOW)).hint


@pytest.mark.parametrize(
    ("status", "code", "message", "option"),
    [
        (400, "InvalidStorageClass", "", "--storage-class"),
        (400, "InvalidArgument", "", "--storage-class"),  # Ceph
        (501, "NotImplemented", "Header 'x-amz-tagging' with value not implemented", "--tag"),
        (400, "InvalidTag", "", "--tag"),
        (400, "InvalidArgument", "The header 'Cache-Control' is too long", "--cache-control"),
        (400, "MetadataTooLarge", "", "--metadata"),
    ],
)
def test_what_is_refused_for_every_file_names_the_option(status, code, message, option):
    error = classify(refusal(status, code, message=message)._replace(headers=OPTION_HEADERS))
    assert type(error) is errors.OptionRefused
    assert option in error.hint


@pytest.mark.parametrize(
    ("status", "code", "headers"),
    [
        (400, "InvalidObjectName", OPTION_HEADERS),
        (400, "EntityTooLarge", OPTION_HEADERS),
        (501, "NotImplemented", OPTION_HEADERS),
        (400, "InvalidArgument", ()),
    ],
)
def test_what_may_be_one_file_s_fault_does_not_name_an_option(status, code, headers):
    error = classify(refusal(status, code)._replace(headers=headers))
    assert isinstance(error, errors.StoreRefused)


@given(st.integers(300, 599), st.binary(max_size=300))
def test_no_answer_is_too_strange(status, body):
    """Whatever comes back, an error of our tree comes out, on one printable line."""
    error = classify(Refusal(Response(status, body=body), "key 'k'", NOW))
    assert isinstance(error, errors.BulkupError)
    assert str(error).isprintable()


def test_bombs_are_not_parsed():
    """A document that declares entities is taken for no document."""
    body = b'<!DOCTYPE x [<!ENTITY a "SlowDown">]><Error><Code>&a;</Code></Error>'
    error = classify(Refusal(Response(403, body=body), "key 'k'", NOW))
    assert type(error) is errors.StoreForbidden


def test_a_nameless_501_suspects_the_options():
    """AWS and MinIO say only that a header implies something that is not implemented."""
    said = refusal(501, "NotImplemented", message="A header you provided implies functionality")
    error = classify(said._replace(headers=["x-amz-tagging", "cache-control", "content-type"]))
    assert isinstance(error, errors.RequestUnsupported)
    assert "--tag or --cache-control" in error.hint
    assert classify(said).hint is None

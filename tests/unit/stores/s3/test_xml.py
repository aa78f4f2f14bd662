"""Documents of an endpoint are read, or refused as StoreBroken, whatever they hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import StoreBroken
from bulkup.model import ObjectInfo, Part
from bulkup.stores.s3.xml import read_error, read_objects, read_parts, read_uploads, read_value

OBJECTS = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>
<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken><Contents>
<Key>a+b%2Bc</Key><Size>7</Size><ETag>"e"</ETag><LastModified>2026-01-02T03:04:05Z</LastModified>
</Contents></ListBucketResult>"""
PARTS = b"""<ListPartsResult><UploadId>u</UploadId><Part><PartNumber>1</PartNumber><Size>5</Size>
<ETag>"e"</ETag><ChecksumSHA256>%s</ChecksumSHA256></Part></ListPartsResult>"""
UPLOADS = b"""<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>u</UploadId>
<Initiated>2026-01-02T03:04:05Z</Initiated></Upload></ListMultipartUploadsResult>"""
ETAG = b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"


def test_a_page_of_a_listing() -> None:
    expected = [ObjectInfo("a b+c", 7, etag='"e"', modified_at=1767323045.0)]
    assert read_objects(OBJECTS) == (expected, {"continuation-token": "next"})


def test_a_page_of_parts() -> None:
    checksum = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    assert read_parts(PARTS % checksum)[0] == [Part(1, 5, '"e"', digest="0" * 64)]  # type: ignore[arg-type]


@pytest.mark.parametrize("checksum", [b"", b"nonsense", b"AAAA", b"AAAA-2", "é".encode()])
def test_a_checksum_that_is_no_digest_counts_as_none(checksum: bytes) -> None:
    assert read_parts(PARTS % checksum)[0] == [Part(1, 5, '"e"')]


@pytest.mark.parametrize("sent", [b"&#x7;", b"&#7;", b"&#x0007;", b"\x07"])
def test_control_characters_in_keys_are_read_although_xml_has_none(sent: bytes) -> None:
    """Endpoints repeat the key of a request in their answers."""
    begun = b"<I><Key>a%s&amp;b</Key><UploadId>u</UploadId></I>" % sent
    assert read_value(begun, "I", "UploadId") == "u"
    assert read_value(begun, "I", "Key") == "a\x07&b"
    error = b"<Error><Code>SlowDown</Code><Key>%s</Key></Error>" % sent
    assert read_error(error)[0] == "SlowDown"


def test_a_page_of_uploads() -> None:
    assert read_uploads(UPLOADS) == ([("k", "u", 1767323045.0)], None)


@pytest.mark.parametrize("size", ["", "x", "-1", "1.5", "1_0", "٣", "9" * 5000])
def test_a_size_that_is_no_number_is_the_endpoint_s_fault(size: str) -> None:
    with pytest.raises(StoreBroken):
        read_objects(OBJECTS.replace(b"<Size>7", b"<Size>" + size.encode()))
    with pytest.raises(StoreBroken):
        read_parts((PARTS % b"").replace(b"<Size>5", b"<Size>" + size.encode()))


READERS: list[tuple[bytes, Callable[[bytes], object]]] = [
    (OBJECTS, read_objects),
    (PARTS % b"", read_parts),
    (UPLOADS, read_uploads),
    (ETAG, lambda body: read_value(body, "CopyObjectResult", "ETag")),
    (b"<Error><Code>C</Code><Message>M</Message></Error>", read_error),
]


@given(st.sampled_from(READERS), st.data())
def test_a_damaged_document_is_read_or_refused(
    reader: tuple[bytes, Callable[[bytes], object]], data: st.DataObject
) -> None:
    document, read = reader
    begin = data.draw(st.integers(0, len(document)))
    end = data.draw(st.integers(begin, min(begin + 20, len(document))))
    inserted = data.draw(st.binary(max_size=4) | st.sampled_from([b"utf-7", b"x", b"<", b"&a;"]))
    with suppress(StoreBroken):
        read(document[:begin] + inserted + document[end:])


@pytest.mark.parametrize("encoding", [b"utf-7", b"no-such-encoding", b"utf-16", b"cp037"])
def test_an_encoding_that_cannot_be_read_is_the_endpoint_s_fault(encoding: bytes) -> None:
    with pytest.raises(StoreBroken):
        read_objects(OBJECTS.replace(b"UTF-8", encoding))

"""Each format gives back what was written."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest

from bulkup.cli.output.text import escape
from bulkup.errors import UsageError
from bulkup.manifest.reports.export import ExportRow
from bulkup.reporting import row_formats as formats
from bulkup.reporting.row_formats import ExportFormat, check_format, write_rows

PLAIN = ExportRow(
    "/photos",
    "2026/ä.jpg",
    1 << 40,
    "2026-01-31T08:15:00Z",
    "ab" * 32,
    "image/jpeg",
    "s3://bucket",
    "2026/ä.jpg",
    "done",
    None,
    None,
    None,
)
SHOT = PLAIN._replace(
    width_px=4032,
    height_px=3024,
    format="HEIF",
    orientation=6,
    taken_at="2026-01-31T09:15:00+01:00",
    camera="Maker Model 1",
    f_number=1.8,
    exposure_seconds=0.004,
    iso=100,
    latitude=47.5,
    longitude=-8.25,
    rating=-1,
    keywords='["s\\u00f8", "b\\u0007"]',
    embedder="model 2",
    vector=np.array([0.5, -0.25, 0.125], "<f2").tobytes(),
)
ODD = PLAIN._replace(
    path='caf\udce9 "a,b\n.jpg',
    digest=None,
    media_type=None,
    key=None,
    upload="dead",
    missing_since="2026-02-01T00:00:00Z",
)


def written(form: ExportFormat, *rows: ExportRow, columns: int = 99, dimension: int = 3) -> bytes:
    out, cells = io.BytesIO(), (row[:columns] for row in rows)
    names = ExportRow._fields[:columns]
    assert write_rows(form, names, cells, out, escape=escape, dimension=dimension) == len(rows)
    return out.getvalue()


def test_json_lines_give_every_name_back_exactly() -> None:
    lines = written("jsonl", PLAIN, ODD).decode("ascii").splitlines()
    assert [ExportRow(**json.loads(line)) for line in lines] == [PLAIN, ODD]


def test_csv_has_a_header_and_escapes_what_is_no_text() -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv", PLAIN, ODD).decode())))
    assert tuple(rows[0]) == ExportRow._fields
    assert rows[0]["path"] == PLAIN.path
    assert rows[1]["path"] == 'caf\\xe9 "a,b\\n.jpg'
    assert rows[1]["digest"] == ""
    assert rows[1]["size_bytes"] == str(1 << 40)


def test_parquet_has_typed_columns_and_nulls() -> None:
    table = pq.read_table(io.BytesIO(written("parquet", PLAIN, ODD)))
    assert tuple(table.column_names) == ExportRow._fields
    first, second = table.to_pylist()
    moment = datetime(2026, 1, 31, 8, 15, tzinfo=UTC)
    assert first == {**PLAIN._asdict(), "modified_at": moment}
    assert second["path"] == 'caf\\xe9 "a,b\\n.jpg'
    assert second["key"] is None
    assert second["missing_since"] == datetime(2026, 2, 1, tzinfo=UTC)


def test_parquet_is_written_a_row_group_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a group are released before the next group is read."""
    monkeypatch.setattr(formats, "GROUP_ROWS_WITH_VECTORS", 10)
    out = io.BytesIO()
    sizes_seen = []

    def rows() -> Iterator[ExportRow]:
        for number in range(35):
            sizes_seen.append(out.tell())
            yield PLAIN._replace(size_bytes=number)

    write_rows("parquet", ExportRow._fields, rows(), out, escape=escape)
    found = pq.ParquetFile(out)
    assert found.metadata.num_row_groups == 4
    assert found.read()["size_bytes"].to_pylist() == list(range(35))
    assert sizes_seen[0] < sizes_seen[10] < sizes_seen[20] < sizes_seen[30]


def test_npz_has_an_array_for_each_column() -> None:
    with np.load(io.BytesIO(written("npz", PLAIN, ODD)), allow_pickle=False) as arrays:
        assert set(arrays) == {*ExportRow._fields, "digests", "vectors"} - {"vector"}
        assert arrays["size_bytes"].tolist() == [1 << 40, 1 << 40]
        assert arrays["path"].tolist() == [PLAIN.path, ODD.path]
        assert arrays["key"].tolist() == [PLAIN.key, ""]
        assert arrays["modified_at"][0] == np.datetime64("2026-01-31T08:15:00")
        assert np.isnat(arrays["missing_since"]).tolist() == [True, False]


def test_json_lines_have_lists_where_there_are_several() -> None:
    first, second = map(json.loads, written("jsonl", SHOT, PLAIN).splitlines())
    assert first == {
        **SHOT._asdict(),
        "keywords": ["s\u00f8", "b\a"],
        "vector": [0.5, -0.25, 0.125],
    }
    assert second == PLAIN._asdict()


def test_csv_has_json_where_there_are_several() -> None:
    first, second = csv.DictReader(io.StringIO(written("csv", SHOT, PLAIN).decode()))
    assert json.loads(first["keywords"]) == ["s\u00f8", "b\a"]
    assert first["vector"] == "[0.5,-0.25,0.125]"
    assert (first["f_number"], first["rating"]) == ("1.8", "-1")
    assert second["vector"] == second["keywords"] == ""


def test_parquet_has_vectors_of_one_length_and_lists() -> None:
    table = pq.read_table(io.BytesIO(written("parquet", SHOT, PLAIN)))
    assert str(table.schema.field("vector").type) == "fixed_size_list<element: float>[3]"
    first, second = table.to_pylist()
    assert first["vector"] == [0.5, -0.25, 0.125]
    assert first["keywords"] == ["s\u00f8", "b\\x07"]
    assert first["latitude"] == 47.5
    assert (first["width_px"], first["rating"]) == (4032, -1)
    assert (second["vector"], second["keywords"], second["latitude"]) == (None, None, None)


def test_parquet_before_anything_is_embedded_has_the_column_all_the_same() -> None:
    table = pq.read_table(io.BytesIO(written("parquet", PLAIN, dimension=0)))
    assert table["vector"].to_pylist() == [None]


def test_npz_has_each_vector_once() -> None:
    """By the digests beside them; numbers that are not there are NaN."""
    other = SHOT._replace(digest="cd" * 32, vector=np.array([1, 0, 0], "<f2").tobytes())
    rows = (SHOT, SHOT._replace(path="copy.jpg"), PLAIN._replace(digest="ef" * 32), other)
    with np.load(io.BytesIO(written("npz", *rows)), allow_pickle=False) as arrays:
        assert arrays["digests"].tolist() == [SHOT.digest, other.digest]
        assert arrays["vectors"].dtype == np.float16
        assert arrays["vectors"].tolist() == [[0.5, -0.25, 0.125], [1, 0, 0]]
        assert arrays["embedder"] == "model 2"
        assert arrays["width_px"].tolist()[0] == 4032
        assert np.isnan(arrays["iso"]).tolist() == [False, False, True, False]


def test_without_vectors_there_is_no_column_of_them() -> None:
    assert b"vector" not in written("jsonl", SHOT, columns=-2)
    assert b"vector" not in written("csv", SHOT, columns=-2)
    assert (
        "vector" not in pq.read_table(io.BytesIO(written("parquet", SHOT, columns=-2))).schema.names
    )
    with np.load(io.BytesIO(written("npz", SHOT, columns=-2))) as arrays:
        assert not {"vectors", "digests", "embedder"} & set(arrays)


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "npz"])
def test_nothing_is_a_file_too(form: ExportFormat) -> None:
    """An empty manifest gives a file that its readers take."""
    data = written(form)
    if form == "parquet":
        assert pq.read_table(io.BytesIO(data)).num_rows == 0
    if form == "npz":
        with np.load(io.BytesIO(data)) as arrays:
            assert len(arrays["path"]) == 0


def test_a_library_that_is_not_there_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only Parquet needs one."""
    check_format("parquet")
    monkeypatch.delitem(sys.modules, "pyarrow", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pyarrow") as caught:
        check_format("parquet")
    assert "install 'pyarrow>=17'" in str(caught.value.hint)
    for form in ("jsonl", "csv", "npz"):
        check_format(form)

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

from bulkup.cli.render import escape
from bulkup.errors import UsageError
from bulkup.manifest.exporting import ExportRow
from bulkup.reporting import formats
from bulkup.reporting.formats import Format, check_format, write_rows

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
ODD = PLAIN._replace(
    path='caf\udce9 "a,b\n.jpg',
    digest=None,
    media_type=None,
    key=None,
    upload="dead",
    missing_since="2026-02-01T00:00:00Z",
)


def written(form: Format, *rows: ExportRow) -> bytes:
    out = io.BytesIO()
    assert write_rows(form, ExportRow._fields, iter(rows), out, escape=escape) == len(rows)
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
    """Rows of a group are let go before the next group is taken."""
    monkeypatch.setattr(formats, "GROUP_ROWS", 10)
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
        assert set(arrays) == set(ExportRow._fields)
        assert arrays["size_bytes"].tolist() == [1 << 40, 1 << 40]
        assert arrays["path"].tolist() == [PLAIN.path, ODD.path]
        assert arrays["key"].tolist() == [PLAIN.key, ""]
        assert arrays["modified_at"][0] == np.datetime64("2026-01-31T08:15:00")
        assert np.isnat(arrays["missing_since"]).tolist() == [True, False]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "npz"])
def test_nothing_is_a_file_too(form: Format) -> None:
    """An empty manifest gives a file that its readers take."""
    data = written(form)
    if form == "parquet":
        assert pq.read_table(io.BytesIO(data)).num_rows == 0
    if form == "npz":
        with np.load(io.BytesIO(data)) as arrays:
            assert len(arrays["path"]) == 0


@pytest.mark.parametrize(
    ("form", "module"), [("parquet", "pyarrow"), ("npz", "numpy")], ids=["parquet", "npz"]
)
def test_a_library_that_is_not_there_is_named_with_its_extra(
    form: Format, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_format(form)
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=module) as caught:
        check_format(form)
    assert caught.value.hint == f"pip install 'bulkup[{form}]'"

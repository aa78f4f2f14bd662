"""What values settings may have."""

from __future__ import annotations

import pytest

from bulkup.settings.parsing import ENGINE


@pytest.mark.parametrize(
    "text",
    ["local", "dask://", "dask://host-a:8786", "dask://10.0.0.7:1/", "dask://[fe80::1]:65535"],
)
def test_engines_are_this_machine_or_a_scheduler(text: str) -> None:
    assert ENGINE.parse(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("dask", "dask:/", "dask://host", "dask://host:", "dask://:8786", "ray://host:1"),
        *("dask://host:0", "dask://host:65536", "dask://host:x", "dask://host:+1", "dask://-h:1"),
        *("dask://user:word@host:1", "dask://::1:1", "dask://host\n:1", "dask://a:1,dask://b:1"),
        *("dask://host:\uff11", "dask://host:1/path", "DASK://host:1", "local "),
    ],
)
def test_what_is_no_engine_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        ENGINE.parse(text)

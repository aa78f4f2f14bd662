"""Dates in every spelling."""

from __future__ import annotations

import pytest

from bulkup.content.picture.facts.moments import moment_of


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20111006 17:47:14.264", "2011-10-06T17:47:14.264000"),
        ("20111006T174714Z", "2011-10-06T17:47:14+00:00"),
        ("20111006", "2011-10-06"),
        ("2003:08:27:00:09:15", "2003-08-27T00:09:15"),
        ("2014:10:08 05:10:88", "2014-10-08T05:10:00"),
        ("201110", "None"),
        ("123456789", "None"),
        ("2010 in Rome", "None"),
        ("2010:02:31 10:00:00", "None"),
        ("2010:02:28 25:00:00", "None"),
    ],
)
def test_the_spellings_of_programs_are_read(text: str, moment: str) -> None:
    assert str(moment_of(text)) == moment

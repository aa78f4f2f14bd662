"""Dates in the names of files."""

from __future__ import annotations

import pytest

from bulkup.content.picture.facts.names import date_in_name


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("IMG_20190317_123456.jpg", "2019-03-17T12:34:56"),
        ("PXL_20210102_030405123.jpg", "2021-01-02T03:04:05"),
        ("VID_20190317_123456_1.mp4", "2019-03-17T12:34:56"),
        ("20190317_123456.jpg", "2019-03-17T12:34:56"),
        ("IMG-20190317-WA0001.jpg", "2019-03-17"),
        ("WhatsApp Image 2019-03-17 at 12.34.56.jpeg", "2019-03-17T12:34:56"),
        ("Screenshot_20190317-123456_Maps.png", "2019-03-17T12:34:56"),
        ("Screenshot 2019-03-17 at 12.34.56.png", "2019-03-17T12:34:56"),
        ("2019-03-17 12.34.56.jpg", "2019-03-17T12:34:56"),
        ("signal-2019-03-17-123456.jpg", "2019-03-17T12:34:56"),
        ("in/archive/2019_03_17.jpg", "2019-03-17"),
    ],
)
def test_a_date(name: str, moment: str) -> None:
    assert str(date_in_name(name)) == moment


@pytest.mark.parametrize(
    "name",
    [
        *("IMG_1234.jpg", "DSC20190.jpg", "20191317_000000.jpg", "19200101.jpg", "2019-02-30.jpg"),
        *("120190317.jpg", "2019031.jpg", "201903171.jpg", "2019-0317.jpg", ""),
    ],
)
def test_no_date(name: str) -> None:
    assert date_in_name(name) is None

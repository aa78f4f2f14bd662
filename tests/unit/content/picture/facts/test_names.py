"""Dates in the names of files."""

from __future__ import annotations

from unicodedata import normalize

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
        ("IMG_20190317_12345.jpg", "2019-03-17"),  # a number, no time
        ("in/archive/2019_03_17.jpg", "2019-03-17"),
        ("Screenshot 2019-03-17 at 9.34.56\u202fPM.png", "2019-03-17T21:34:56"),
        ("WhatsApp Image 2019-03-17 at 12.34.56 AM.jpeg", "2019-03-17T00:34:56"),
        ("Bildschirmfoto 2019-03-17 um 12.34.56.png", "2019-03-17T12:34:56"),
        ("Captura de pantalla 2019-03-17 a las 9.34.56.png", "2019-03-17T09:34:56"),
        ("Capture d\u2019\u00e9cran 2019-03-17 \u00e0 12.34.56.png", "2019-03-17T12:34:56"),
        ("Sk\u00e4rmavbild 2019-03-17 kl. 12.34.56.png", "2019-03-17T12:34:56"),
        ("DSC_20190317123456.jpg", "2019-03-17T12:34:56"),
        ("00100lrPORTRAIT_00100_BURST20190317123456789_COVER.jpg", "2019-03-17T12:34:56"),
        # 12-hour clocks, which are the default in some languages
        ("스크린샷 2019-03-17 오후 9.34.56.png", "2019-03-17T21:34:56"),
        ("스크린샷 2019-03-17 오전 12.34.56.png", "2019-03-17T00:34:56"),
        ("截屏2019-03-17 下午9.34.56.png", "2019-03-17T21:34:56"),
        ("スクリーンショット 2019-03-17 午前9.34.56.png", "2019-03-17T09:34:56"),
        (
            "Captura de Pantalla 2019-03-17 a la(s) 9.34.56\u202fp.\u00a0m..png",
            "2019-03-17T21:34:56",
        ),
        ("Στιγμιότυπο οθόνης 2019-03-17, 9.34.56 μ.μ..png", "2019-03-17T21:34:56"),
        ("لقطة الشاشة 2019-03-17 في 9.34.56 م.png", "2019-03-17T21:34:56"),
        ("Ekran Resmi 2019-03-17 ÖS 9.34.56.png", "2019-03-17T21:34:56"),
        ("2019-03-17 13.34.56 am See.jpg", "2019-03-17T13:34:56"),
        # what stands between day and time
        ("Imagem do WhatsApp de 2019-03-17 à(s) 21.34.56.jpg", "2019-03-17T21:34:56"),
        ("Képernyőfotó 2019-03-17 - 21.34.56.png", "2019-03-17T21:34:56"),
        ("צילום מסך 2019-03-17 ב-21.34.56.png", "2019-03-17T21:34:56"),
        ("Näyttökuva 2019-3-17 kello 21.34.56.png", "2019-03-17T21:34:56"),
        ("20190317213456.jpg", "2019-03-17T21:34:56"),
        ("photo_5@17-03-2019_21-34-56.jpg", "2019-03-17T21:34:56"),  # Telegram
        ("2019-03-17 - 2019-04-01.jpg", "2019-03-17"),
    ],
)
def test_a_date(name: str, moment: str) -> None:
    assert str(date_in_name(name)) == moment
    assert str(date_in_name(normalize("NFD", name))) == moment  # as Macs write it


@pytest.mark.parametrize(
    "name",
    [
        *("IMG_1234.jpg", "DSC20190.jpg", "20191317_000000.jpg", "19200101.jpg", "2019-02-30.jpg"),
        *("120190317.jpg", "2019031.jpg", "201903171.jpg", "2019-0317.jpg", ""),
        *("2019-3-7.jpg", "Band 2019-3-17 7.jpg", "20190317999999.jpg", "x@17-03-2019.jpg"),
    ],
)
def test_no_date(name: str) -> None:
    assert date_in_name(name) is None

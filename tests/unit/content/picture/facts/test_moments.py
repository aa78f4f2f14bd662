"""Dates in every spelling."""

from __future__ import annotations

import pytest

from bulkup.content.picture.facts.moments import mail_date, moment_of


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
        ("20111006174714", "2011-10-06T17:47:14"),
        ("2011: 5: 7  9: 3: 4", "2011-05-07T09:03:04"),
        ("2011:5:7 9:3:4", "2011-05-07T09:03:04"),
        ("2011-5-7", "2011-05-07"),
        ("2011-10-06T17:47:14\u221205:00", "2011-10-06T17:47:14-05:00"),
    ],
)
def test_the_spellings_of_programs_are_read(text: str, moment: str) -> None:
    assert str(moment_of(text)) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        # EXIF: what is unknown is filled with blanks
        ("2019:05:07   :  :  ", "2019-05-07"),
        ("2019:05:  :  :  ", "2019-05"),
        ("2019:  :     :  :  ", "2019"),
        ("    :  :     :  :  ", "None"),
        # an impossible clock says nothing against the day
        ("2010:02:28 24:00:00", "2010-02-28"),
        ("2010:02:28 25:61:61", "2010-02-28"),
        ("2010:02:28 --:--:--", "2010-02-28"),
        ("2010-02-28T", "2010-02-28"),
        # a day with its zone (XML Schema)
        ("2010-02-28Z", "2010-02-28"),
        ("2010-02-28+02:00", "2010-02-28"),
    ],
)
def test_what_is_known_of_a_date_is_kept(text: str, moment: str) -> None:
    assert str(moment_of(text)) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Thu, 4 Jul 1985 12:00:00 +0200", "1985-07-04T12:00:00+02:00"),
        ("4 Jul 1985 12:00:00 GMT", "1985-07-04T12:00:00+00:00"),
        ("Thu Jul  4 12:00:00 1985", "1985-07-04T12:00:00"),  # no zone is not UTC
        ("4 July 1985", "1985-07-04"),
        ("07/04/85", "None"),
    ],
)
def test_dates_as_in_mail(text: str, moment: str) -> None:
    assert str(mail_date(text)) == moment

"""Keys by a template."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model import Digest
from bulkup.stores.key_templates import FIELDS, KeyFacts, check_template, templated_key

DIGEST = Digest("ab" * 32)
FACTS = KeyFacts(datetime(2019, 3, 7, 12, 34, 56), "NIKON D70")  # noqa: DTZ001 - a camera's clock
BY_MONTH = "{taken:%Y}/{taken:%m}/{name}"


@pytest.mark.parametrize(
    ("template", "path", "key"),
    [
        (BY_MONTH, "trip/IMG_1.JPG", "2019/03/IMG_1.JPG"),
        ("{taken}/{stem}-{digest:.8}.{ext}", "IMG_1.JPG", "2019-03-07/IMG_1-abababab.jpg"),
        ("{camera}/{folder}/{name}", "a/b/c.jpg", "NIKON D70/a/b/c.jpg"),
        ("{camera}/{folder}/{name}", "c.jpg", "NIKON D70/c.jpg"),
        ("{taken:%Y-%m-%d %H.%M.%S} {name}", "c.jpg", "2019-03-07 12.34.56 c.jpg"),
        (BY_MONTH, "old.zip#in/b.jpg", "2019/03/b.jpg"),
        ("{folder}/{name}", "old.tgz#in/b.jpg", "old.tgz/in/b.jpg"),
        (BY_MONTH, "a #1.jpg", "2019/03/a #1.jpg"),
        (BY_MONTH, 'a:b*"c.jpg', "2019/03/a_b__c.jpg"),
        ("{stem}.{ext}", ".hidden", ".hidden"),
    ],
)
def test_fields_are_filled_in(template: str, path: str, key: str) -> None:
    check_template(template)
    assert templated_key(template, path, DIGEST, FACTS) == key


def test_what_has_no_date_goes_to_one_folder() -> None:
    def key(template: str) -> str:
        return templated_key(template, "a.jpg", DIGEST, KeyFacts())

    assert key(BY_MONTH) == "undated/a.jpg"
    assert key("by date/{taken:%Y}/x/{taken:%m}/{name}") == "by date/undated/x/undated/a.jpg"
    assert key("{taken:%Y}-{name}") == "undated-a.jpg"
    named_so = templated_key("{taken:%Y}/{name}", "undated", DIGEST, KeyFacts())
    assert named_so == "undated/undated"
    assert key("{camera}/{name}") == "unknown/a.jpg"


def test_a_camera_cannot_leave_its_folder() -> None:
    facts = KeyFacts(None, "../../etc\\x\n")
    assert templated_key("{camera}/{name}", "a.jpg", DIGEST, facts) == ".._.._etc_x_/a.jpg"
    assert templated_key("{camera}/{name}", "a.jpg", DIGEST, KeyFacts(None, "..")) == "_/a.jpg"


@pytest.mark.parametrize(
    "template",
    ["{when}/{name}", "{taken:%Y}", "{name", "{name!r}", "{name:>9}", "{taken:%Y/%m}/{name}",
     "{taken:%c}/{name}", "{0}/{name}", "{name.x}", ".bulkup/{name}", "{}/{name}"],
)  # fmt: skip
def test_a_wrong_template_is_refused_with_the_fields(template: str) -> None:
    with pytest.raises(ValueError, match="Fields: ") as caught:
        check_template(template)
    assert all(f"{{{field}}}" in str(caught.value) for field in FIELDS)


@given(st.text(), st.text())
def test_no_name_makes_an_unsafe_key(path: str, camera: str) -> None:
    key = templated_key("{camera}/{folder}/{taken:%Y}/{name}", path, DIGEST, KeyFacts(None, camera))
    assert key
    assert not {"", ".", ".."} & set(key.split("/"))
    assert not any(ord(letter) < 32 for letter in key)

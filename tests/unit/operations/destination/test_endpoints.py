"""Two servers are never one destination, one server never two, and Amazon is no accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.errors import UsageError
from bulkup.manifest.destinations import Destination
from bulkup.operations.destination.endpoints import choose_endpoint, require_same_endpoint
from bulkup.settings.options import RunOptions

URL = "s3://photos/all"
NOTHING = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}


def known_at(*endpoints: str) -> list[Destination]:
    return [Destination(n, URL, endpoint, *[None] * 8) for n, endpoint in enumerate(endpoints, 1)]


def with_config(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "config").write_text(text)
    return {**NOTHING, "AWS_CONFIG_FILE": f"{tmp_path}/config"}


@pytest.mark.parametrize(
    ("typed", "endpoint"),
    [
        ("http://h:9/", "http://h:9"),
        (" http://h:9\n", "http://h:9"),
        ("HTTP://H:9", "http://h:9"),
        ("https://h:443", "https://h"),
        ("http://h:80/base/", "http://h/base"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("https://s3.amazonaws.com", ""),
        ("https://s3.eu-central-1.amazonaws.com/", ""),
    ],
)
def test_spellings_of_one_endpoint_are_one(typed: str, endpoint: str) -> None:
    options = RunOptions(endpoint_url=typed)
    assert choose_endpoint(URL, [], options, NOTHING) == endpoint


def test_a_bucket_known_once_is_looked_for_there() -> None:
    assert choose_endpoint(URL, known_at("http://one"), RunOptions(), NOTHING) == "http://one"
    assert choose_endpoint(URL, [], RunOptions(), NOTHING) == ""


def test_another_prefix_of_a_known_bucket_is_looked_for_there() -> None:
    """Keys and pictures of a private server do not go to Amazon for want of an option."""
    known = [one._replace(is_reached=True) for one in known_at("http://one")]
    for url in ("s3://photos", "s3://photos/other", "s3://photos//all"):
        assert choose_endpoint(url, known, RunOptions(), NOTHING) == "http://one"
    assert choose_endpoint("s3://photos2/all", known, RunOptions(), NOTHING) == ""
    assert (
        choose_endpoint("s3://photos/other", known_at("http://typo"), RunOptions(), NOTHING) == ""
    )
    amazon = RunOptions(endpoint_url="https://s3.amazonaws.com")
    assert choose_endpoint("s3://photos/other", known, amazon, NOTHING) == ""
    known += [one._replace(is_reached=True) for one in known_at("http://two")]
    with pytest.raises(UsageError, match=r"http://one or at http://two"):
        choose_endpoint("s3://photos/other", known, RunOptions(), NOTHING)


def test_a_bucket_known_twice_is_asked_about() -> None:
    known = known_at("http://one", "http://two")
    with pytest.raises(UsageError, match=r"http://one or at http://two"):
        choose_endpoint(URL, known, RunOptions(), NOTHING)
    there = choose_endpoint(URL, known, RunOptions(endpoint_url="http://TWO/"), NOTHING)
    assert there == "http://two"


def test_a_profile_names_its_server_whatever_is_known(tmp_path: Path) -> None:
    environ = with_config(tmp_path, "[profile two]\nendpoint_url = http://two:80\n")
    known = known_at("http://one")
    assert choose_endpoint(URL, known, RunOptions(profile="two"), environ) == "http://two"
    environ["AWS_PROFILE"] = "two"
    assert choose_endpoint(URL, known, RunOptions(), environ) == "http://two"


def test_the_default_profile_counts_and_does_not_replace_what_is_known(tmp_path: Path) -> None:
    environ = with_config(tmp_path, "[default]\nendpoint_url = http://two\n")
    assert choose_endpoint(URL, [], RunOptions(), environ) == "http://two"
    with pytest.raises(UsageError, match=r"http://one or at http://two"):
        choose_endpoint(URL, known_at("http://one"), RunOptions(), environ)
    (known,) = known_at("http://one")
    require_same_endpoint(known, RunOptions(), environ)


def test_another_endpoint_than_the_remembered_one_is_refused() -> None:
    (known,) = known_at("http://one")
    require_same_endpoint(known, RunOptions(endpoint_url="HTTP://ONE/"), NOTHING)
    with pytest.raises(UsageError, match=r"http://one, and http://two is asked for"):
        require_same_endpoint(known, RunOptions(endpoint_url="http://two"), NOTHING)

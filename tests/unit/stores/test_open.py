"""URLs become stores, and credentials come from where they should."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bulkup.clock import SystemClock
from bulkup.errors import CredentialsRefused, UsageError
from bulkup.stores.directory.store import DirectoryStore
from bulkup.stores.open import Access, open_store
from bulkup.stores.s3.credentials import Credentials, find_credentials
from bulkup.stores.s3.endpoint import Address, locate, normalise_endpoint
from bulkup.stores.s3.store import S3Store

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "very-secret"}


def open_url(url, **options):
    return open_store(url, Access(**options), environ=KEYS, clock=SystemClock())


@pytest.mark.parametrize(
    ("url", "shown", "prefix"),
    [
        ("s3://bucket", "s3://bucket", ""),
        ("s3://bucket/", "s3://bucket", ""),
        ("s3://bucket/a/b", "s3://bucket/a/b", "a/b/"),
        ("S3://bucket/a/", "s3://bucket/a", "a/"),
        ("s3://my.bucket/a#b?c", "s3://my.bucket/a#b?c", "a#b?c/"),
    ],
)
def test_s3_urls(url, shown, prefix):
    """Bucket and prefix; a slash at the end says nothing."""
    store = open_url(url)
    assert isinstance(store, S3Store)
    assert (store.url, store.prefix) == (shown, prefix)


@pytest.mark.parametrize("make", ["{}/x", "file://{}/x", "file://localhost{}/x"])
def test_directories(tmp_path, make):
    """Plain paths and file URLs."""
    store = open_url(make.format(tmp_path))
    assert isinstance(store, DirectoryStore)
    assert (store.url, store.prefix) == (f"{tmp_path}/x", "")


@pytest.mark.parametrize(
    "url",
    ["", "s3://", "s3:///key", "s3://u:p@bucket/k", "gs://bucket/k", "http://host/bucket",
     "file://host/dir", "file://"],
)  # fmt: skip
def test_everything_else_is_a_usage_error(url):
    """Without repeating a secret."""
    with pytest.raises(UsageError) as caught:
        open_url(url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    ["host:9000", "ftp://h", "https://u:p@h", "https://h/?X-Amz-Signature=s", "http://h:x"],
)
def test_endpoints_that_are_none(endpoint):
    """Refused when the store is opened, without repeating what may be secret."""
    with pytest.raises(UsageError) as caught:
        open_url("s3://bucket", endpoint_url=endpoint)
    assert "u:p" not in str(caught.value)


def test_addresses():
    """Virtual hosts at AWS but for dotted names, paths elsewhere, no default ports in Host."""
    assert locate("b", endpoint_url=None, region="eu-west-1") == Address(
        "https://b.s3.eu-west-1.amazonaws.com", "b.s3.eu-west-1.amazonaws.com", "", is_aws=True
    )
    assert locate("a.b", endpoint_url=None, region="cn-north-1") == Address(
        "https://s3.cn-north-1.amazonaws.com.cn", "s3.cn-north-1.amazonaws.com.cn", "/a.b",
        is_aws=True,
    )  # fmt: skip
    assert locate("b", endpoint_url="http://HOST:80/", region="r") == Address(
        "http://host", "host", "/b", is_aws=False
    )
    assert locate("b", endpoint_url="https://[::1]:9000/s3", region="r") == Address(
        "https://[::1]:9000", "[::1]:9000", "/s3/b", is_aws=False
    )


def find(environ, **options):
    options = {"profile": None, "region": None, "endpoint_url": None, **options}
    return find_credentials(environ, **options)


def test_region_order(tmp_path):
    """Flag, AWS_REGION, AWS_DEFAULT_REGION, config file, us-east-1."""
    config = tmp_path / "config"
    config.write_text("[default]\nregion = c-1\n[profile p]\nregion = c-2\n")
    environ = {**KEYS, "AWS_CONFIG_FILE": str(config)}
    assert find(environ).region == "c-1"
    assert find({**environ, "AWS_PROFILE": "p"}).region == "c-2"
    environ["AWS_DEFAULT_REGION"] = "d"
    assert find(environ).region == "d"
    environ["AWS_REGION"] = "e"
    assert find(environ).region == "e"
    assert find(environ, region="f").region == "f"
    nowhere = find({**KEYS, "AWS_CONFIG_FILE": str(tmp_path / "none")})
    assert (nowhere.region, nowhere.region_given) == ("us-east-1", False)


def test_secrets_are_not_shown():
    """repr() ends up in tracebacks."""
    assert "very-secret" not in repr(find({**KEYS, "AWS_SESSION_TOKEN": "tok"}))
    assert "tok" not in repr(find({**KEYS, "AWS_SESSION_TOKEN": "tok"}))


def test_blanks_and_line_breaks_around_keys_are_no_part_of_them():
    """Files that hold a secret end in a line break."""
    found = find(
        {
            "AWS_ACCESS_KEY_ID": "AKID\r\n",
            "AWS_SECRET_ACCESS_KEY": " s ",
            "AWS_SESSION_TOKEN": "t\n",
        }
    )
    assert (found.access_key, found.secret_key, found.token) == ("AKID", "s", "t")


@pytest.mark.parametrize("name", [*KEYS, "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("value", ["Zq\nZq", "Zq Zq", "Zqé"])
def test_a_key_that_no_header_can_hold_is_refused_by_its_name(name, value):
    with pytest.raises(CredentialsRefused) as caught:
        find({**KEYS, name: value})
    assert name in str(caught.value)
    assert "Zq" not in f"{caught.value} {caught.value.hint}"


def test_profiles_go_through_boto3(tmp_path, monkeypatch):
    """Keys, region and endpoint of the profile, which wins over keys in the environment."""
    (tmp_path / "keys").write_text("[p]\naws_access_key_id = PK\naws_secret_access_key = PS\n")
    (tmp_path / "config").write_text(
        "[profile p]\nregion = eu-west-2\nendpoint_url = https://s3.example.net\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "keys"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    ask = find({**KEYS, **files}, profile="p")
    assert not isinstance(ask, Credentials)
    credentials = ask(refresh=False)
    assert (credentials.access_key, credentials.secret_key, credentials.region) == (
        "PK",
        "PS",
        "eu-west-2",
    )
    assert credentials.endpoint_url == "https://s3.example.net"
    assert credentials.good_for_seconds is not None
    with pytest.raises(CredentialsRefused):
        find({}, profile="no-such-profile")(refresh=False)


def test_no_credentials(tmp_path):
    """The chain ends with a hint."""
    with pytest.raises(CredentialsRefused) as caught:
        find({})(refresh=False)
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


@pytest.mark.parametrize("process", ["echo no-json", "echo {}", "/no/such/program", "false"])
def test_a_credential_process_that_fails_is_no_bug(tmp_path, monkeypatch, process):
    (tmp_path / "config").write_text(f"[profile p]\ncredential_process = {process}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(CredentialsRefused) as caught:
        find({}, profile="p")(refresh=False)
    assert "profile" in caught.value.hint


def test_an_endpoint_url_of_a_profile_that_is_none_is_a_usage_error(tmp_path):
    (tmp_path / "config").write_text("[profile p]\nendpoint_url = no url\n")
    found = find({**KEYS, "AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_PROFILE": "p"})
    with pytest.raises(UsageError, match="must begin with http"):
        normalise_endpoint(found.endpoint_url)


def test_static_keys_import_no_sdk():
    """botocore costs 0.4 s; keys in the environment must not pay that."""
    code = (
        "import sys; from bulkup.stores.open import open_store;"
        "from bulkup.clock import SystemClock;"
        f"open_store('s3://bucket/p', environ={KEYS!r}, clock=SystemClock());"
        "sys.exit('botocore' in sys.modules or 'boto3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_ca_bundles_that_are_none(tmp_path, text):
    """Missing or empty ones are usage errors; AWS_CA_BUNDLE counts, too."""
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match="CA bundle"):
        open_url("s3://bucket", ca_bundle=str(path))
    with pytest.raises(UsageError, match="CA bundle"):
        open_store("s3://bucket", environ={**KEYS, "AWS_CA_BUNDLE": str(path)}, clock=SystemClock())


def test_a_virtual_host_holds_the_bucket():
    """Below the endpoint's own host and path; the port stays."""
    address = locate(
        "bkt", endpoint_url="http://H.example:9000/s3/", region="r", addressing_style="virtual"
    )
    assert address == Address(
        "http://bkt.h.example:9000", "bkt.h.example:9000", "/s3", is_aws=False
    )


def test_the_endpoint_of_the_config_file_counts_with_keys_in_the_environment(tmp_path):
    """As its region and its addressing style do; '' is Amazon S3 all the same."""
    config = tmp_path / "config"
    config.write_text("[default]\nendpoint_url=http://nas\ns3 =\n  addressing_style = virtual\n")
    environ = {**KEYS, "AWS_CONFIG_FILE": str(config)}
    found = find_credentials(environ, profile=None, region=None, endpoint_url=None)
    assert (found.endpoint_url, found.addressing_style) == ("http://nas", "virtual")
    amazon = find_credentials(environ, profile=None, region=None, endpoint_url="")
    assert amazon.endpoint_url is None

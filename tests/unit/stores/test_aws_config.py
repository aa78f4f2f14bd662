"""What the AWS files say about S3, as botocore reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.stores.aws_config import ProfileSettings, profile_names, profile_settings

CONFIG = """
[default]
region = eu-west-1
endpoint_url = http://default.example:9000

[profile "my nas"]
endpoint_url = http://nas.example
s3 =
    addressing_style = virtual

[profile split]
services = two
endpoint_url = http://all.example

[services two]
s3 =
  endpoint_url = http://only-s3.example

[profile deaf]
endpoint_url = http://ignored.example
ignore_configured_endpoint_urls = true
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "credentials").write_text("[keys]\nregion = us-west-2\n[split]\nregion = x-1\n")
    return {
        "AWS_CONFIG_FILE": f"{tmp_path}/config",
        "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/credentials",
    }


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        (None, ProfileSettings("eu-west-1", "http://default.example:9000", None)),
        ("my nas", ProfileSettings(None, "http://nas.example", "virtual")),
        ("split", ProfileSettings("x-1", "http://only-s3.example", None)),
        ("deaf", ProfileSettings()),
        ("keys", ProfileSettings("us-west-2")),
        ("nobody", ProfileSettings()),
    ],
)
def test_what_a_profile_says(
    environ: dict[str, str], profile: str | None, says: ProfileSettings
) -> None:
    assert profile_settings(environ, profile) == says


def test_the_environment_names_the_profile(environ: dict[str, str]) -> None:
    named = profile_settings({**environ, "AWS_PROFILE": "my nas"}, None)
    assert named.addressing_style == "virtual"


def test_which_profiles_are_known(environ: dict[str, str]) -> None:
    known = profile_names(environ)
    assert {"my nas", "keys"} <= set(known)
    assert not {"two", "archve"} & set(known)


def test_unreadable_files_say_nothing(environ: dict[str, str]) -> None:
    Path(environ["AWS_CONFIG_FILE"]).write_bytes(b"\xff\xfe nothing")
    assert profile_settings(environ, None) == ProfileSettings()

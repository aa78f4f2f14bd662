"""What variables and files of credentials may hold, and how it is told without showing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.errors import CredentialsRefused
from bulkup.stores.s3.credentials import Credentials, find_credentials

SECRET = "wJalrXUtnFEMIbPxRfiCYzzEXAMPLEKEY"
KEYS = {
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": SECRET,
}


def found(region: str | None = None, **variables: str) -> Credentials:
    credentials = find_credentials(
        {**KEYS, **variables}, profile=None, region=region, endpoint_url=None
    )
    assert isinstance(credentials, Credentials)
    return credentials


def test_what_files_of_secrets_end_in_is_no_part_of_a_value() -> None:
    ends = {name: f"{value}\r\n" for name, value in KEYS.items() if "KEY" in name}
    credentials = found(
        **ends,
        AWS_SESSION_TOKEN=" token\n",
        AWS_REGION="eu-west-1\n",
        AWS_ENDPOINT_URL=" http://h:9\n",
    )
    assert (credentials.access_key, credentials.secret_key) == ("key", SECRET)
    assert (credentials.token, credentials.region) == ("token", "eu-west-1")
    assert credentials.endpoint_url == "http://h:9"
    assert not found(AWS_REGION="\n").region_given


@pytest.mark.parametrize(
    "variable",
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"],
)
@pytest.mark.parametrize("between", ["\n", " ", "ü", "\x01"])
def test_what_no_header_can_hold_is_named_and_not_shown(variable: str, between: str) -> None:
    with pytest.raises(CredentialsRefused, match=variable) as refused:
        found(**{variable: f"begin{between}EXAMPLETOKEN"})
    assert "EXAMPLETOKEN" not in f"{refused.value} {refused.value.hint}"
    with pytest.raises(CredentialsRefused, match="--region"):
        found(region=f"eu{between}west")


def test_a_wrong_value_in_a_file_is_named_as_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "credentials").write_text(
        f"[default]\naws_access_key_id = key\naws_secret_access_key = {SECRET} x\n"
    )
    ask = find_credentials({}, profile=None, region=None, endpoint_url=None)
    assert not isinstance(ask, Credentials)
    with pytest.raises(CredentialsRefused, match="aws_secret_access_key") as refused:
        ask(refresh=False)
    assert SECRET not in str(refused.value)

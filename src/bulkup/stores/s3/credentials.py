"""Credentials and region: from the environment without botocore, else from boto3's chain.

boto3 takes 0.4 s to import: only profiles, SSO, instance roles and the like pay for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bulkup.errors import CredentialsExpired, CredentialsRefused
from bulkup.redaction import foreign_text
from bulkup.stores.aws_config import ProfileSettings, profile_settings

if TYPE_CHECKING:
    import boto3

DEFAULT_REGION = "us-east-1"
"""S3-compatible servers mostly accept it; AWS names the right one in its refusal."""

_RECHECK_SECONDS = 60.0
"""How often boto3 is asked for credentials; it renews those that end within 15 minutes."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys, and where they are used. `region_given` is False for a default region."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)
    region: str
    region_given: bool
    endpoint_url: str | None
    good_for_seconds: float | None = None  # None: these keys never change by themselves
    origin: str = "environment"  # where the keys were found
    addressing_style: str = "auto"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no message may hold."""
        return tuple(filter(None, (self.access_key, self.secret_key, self.token)))


class AskCredentials(Protocol):
    """Finds the credentials to use now; may block."""

    def __call__(self, *, refresh: bool) -> Credentials:
        """With `refresh`, nothing read before is used again. Raises CredentialsRefused."""


def find_credentials(
    environ: Mapping[str, str],
    *,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    addressing_style: str | None = None,
) -> Credentials | AskCredentials:
    """The credentials in the environment, else a function that asks boto3 for them.

    The function blocks (imports, files, perhaps requests), may be called again for renewed keys,
    and raises CredentialsRefused when there are none. Without an `endpoint_url`, that of the
    environment or the profile is used; '' is Amazon S3, whatever those say. As in the AWS CLI,
    `profile` takes precedence over keys in the environment, AWS_PROFILE does not.
    """
    region = (
        _clean({"--region": region}, "--region")
        or _clean(environ, "AWS_REGION")
        or _clean(environ, "AWS_DEFAULT_REGION")
    )
    settings = profile_settings(environ, profile)
    addressing_style = addressing_style or settings.addressing_style or "auto"
    if endpoint_url is None:
        endpoint_url = configured_endpoint(environ, settings)
    access_key = _clean(environ, "AWS_ACCESS_KEY_ID")
    secret_key = _clean(environ, "AWS_SECRET_ACCESS_KEY")
    if profile is not None or not access_key or not secret_key:
        return _Chain(profile, region, endpoint_url, addressing_style)
    region = region or settings.region
    return Credentials(
        access_key=access_key,
        secret_key=secret_key,
        token=_clean(environ, "AWS_SESSION_TOKEN") or _clean(environ, "AWS_SECURITY_TOKEN") or None,
        region=region or DEFAULT_REGION,
        region_given=bool(region),
        endpoint_url=endpoint_url or None,
        addressing_style=addressing_style,
    )


def configured_endpoint(environ: Mapping[str, str], settings: ProfileSettings) -> str | None:
    """The endpoint that the environment, else the profile, names; None when neither does."""
    return (
        _said(environ, "AWS_ENDPOINT_URL_S3")
        or _said(environ, "AWS_ENDPOINT_URL")
        or settings.endpoint_url
    )


def _said(environ: Mapping[str, str], name: str) -> str:
    """The variable without the blanks and line breaks around it: files of secrets end in one."""
    return environ.get(name, "").strip()


def _clean(texts: Mapping[str, str | None], name: str) -> str:
    """The key, token or region of this name without blanks and line breaks around it; '' for none.

    Raises CredentialsRefused, without the value, for one that no header can hold.
    """
    text = (texts.get(name) or "").strip()
    if " " in text or not (text.isascii() and text.isprintable()):
        raise CredentialsRefused(
            f"{name} holds a character that cannot be part of it",
            hint=f"Set {name} again: blanks, line breaks and quotation marks are no part of it.",
        )
    return text


class _Chain:
    """Asks boto3's credential chain, in one boto3 session until its keys have expired."""

    def __init__(
        self,
        profile: str | None,
        region: str | None,
        endpoint_url: str | None,
        addressing_style: str,
    ) -> None:
        self._profile = profile
        self._region = region
        self._endpoint_url = endpoint_url
        self._addressing_style = addressing_style
        self._session: boto3.Session | None = None

    def __call__(self, *, refresh: bool) -> Credentials:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if self._session is None or refresh:  # a session reads its files and asks programs once
                self._session = boto3.Session(profile_name=self._profile)
            found = self._session.get_credentials()
            if found is None:
                hint = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a --profile."
                raise CredentialsRefused("no credentials were found", hint=hint)
            keys = found.get_frozen_credentials()
            region = self._region or self._session.region_name
        # ClientError: a role is refused; the others: a credential_process that is missing, or
        # prints something else, and an endpoint URL that is none
        except (BotoCoreError, ClientError, ValueError, KeyError, OSError) as error:
            kind = CredentialsExpired if "expired" in str(error).lower() else CredentialsRefused
            hint = "Check the profile, or log in again (aws sso login)."
            raise kind(
                f"boto3 finds no credentials: {foreign_text(str(error))}", hint=hint
            ) from error
        profile = f", profile {self._profile}" if self._profile else ""
        names = {
            "aws_access_key_id": keys.access_key,
            "aws_secret_access_key": keys.secret_key,
            "aws_session_token": keys.token,
        }
        return Credentials(
            access_key=_clean(names, "aws_access_key_id"),
            secret_key=_clean(names, "aws_secret_access_key"),
            token=_clean(names, "aws_session_token") or None,
            region=region or DEFAULT_REGION,
            region_given=region is not None,
            endpoint_url=self._endpoint_url or None,
            good_for_seconds=_RECHECK_SECONDS,
            origin=f"boto3: {found.method}{profile}",
            addressing_style=self._addressing_style,
        )

"""The AWS config and credentials files: what a profile says about S3, read without botocore.

The files and their precedence: "Configuration and credential file settings" and "Service-specific
endpoints" (AWS SDKs and Tools Reference Guide). As in botocore, what a profile has in the
credentials file overrides the config file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class ProfileSettings(NamedTuple):
    """What one profile says; None or '' where it says nothing."""

    region: str | None = None
    endpoint_url: str | None = None
    addressing_style: str | None = None


def profile_settings(environ: Mapping[str, str], profile: str | None) -> ProfileSettings:
    """The settings of `profile`, else of AWS_DEFAULT_PROFILE, AWS_PROFILE or `default`."""
    name = profile or _default_profile(environ)
    found: dict[str, str] = {}
    services: dict[str, dict[str, str]] = {}
    for path, is_config in _files(environ):
        for section, values in _sections(path):
            words = _words(section)
            if words == (["profile", name] if is_config and name != "default" else [name]) or (
                is_config and words == ["profile", name]
            ):
                found |= values
            elif is_config and len(words) == 2 and words[0] == "services":
                services[words[1]] = values
    s3 = _nested(found.get("s3", ""))
    service = _nested(services.get(found.get("services", ""), {}).get("s3", ""))
    endpoint_url = service.get("endpoint_url") or found.get("endpoint_url")
    ignored = environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or found.get(
        "ignore_configured_endpoint_urls", ""
    )
    return ProfileSettings(
        region=found.get("region"),
        endpoint_url=None if ignored.lower() == "true" else endpoint_url,
        addressing_style=s3.get("addressing_style"),
    )


def profile_names(environ: Mapping[str, str]) -> list[str]:
    """The profiles of both files."""
    found: dict[str, None] = {}
    for path, is_config in _files(environ):
        for section, _ in _sections(path):
            words = _words(section)
            if len(words) == 2 and words[0] == "profile":
                found[words[1]] = None
            elif len(words) == 1 and (not is_config or words == ["default"]):
                found[words[0]] = None
    return list(found)


def _default_profile(environ: Mapping[str, str]) -> str:
    return environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or "default"


def _files(environ: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """(path, whether it is the config file), in ascending precedence."""
    for variable, default in (
        ("AWS_CONFIG_FILE", "~/.aws/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    ):
        path = os.path.expanduser(os.path.expandvars(environ.get(variable) or default))
        if os.path.isfile(path):
            yield path, variable == "AWS_CONFIG_FILE"


def _sections(path: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The sections of one file; none when it cannot be read: boto3 reports that if it matters."""
    from configparser import Error as ConfigError
    from configparser import RawConfigParser

    parser = RawConfigParser(default_section="", strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (ConfigError, OSError, UnicodeDecodeError):
        return
    for section in parser.sections():
        yield section, dict(parser.items(section))


def _words(section: str) -> list[str]:
    """['profile', 'my photos'] from 'profile "my photos"'."""
    import shlex

    try:
        return shlex.split(section)
    except ValueError:
        return [section]


def _nested(text: str) -> dict[str, str]:
    """The indented `name = value` lines below a name."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}

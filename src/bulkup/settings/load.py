"""Loads the settings: flags > environment > bulkup.toml > defaults.

One file is used: the one that `--config` or BULKUP_CONFIG names, else `bulkup.toml` in the current
directory if the user has allowed it (see `trust`), else in the user's configuration directory.

A table `[profile.NAME]` has the same keys as the file and overrides it; `--profile NAME` or
BULKUP_PROFILE selects it. If the file has no profiles at all, NAME is an AWS profile; if it has
others, NAME is a mistake. If it has NAME, the profile's own `s3.profile` replaces NAME, with the
same precedence; without that, AWS_PROFILE and then the file's `s3.profile` apply as usual.

An empty text means "not given": in the environment the next source decides, in the file the
default does. Relative paths in the file are relative to its directory, others to the current one.

Every command imports this module at its start, so rarely needed imports are late.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bulkup.errors import SettingsError
from bulkup.settings.setting import Values, Written, build
from bulkup.settings.table import LEAVES, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from bulkup.settings.named_destinations import NamedDestination
    from bulkup.settings.parsing import Kind
    from bulkup.settings.toml_file import FromFile
    from bulkup.settings.trust import SettingsFile

_KEY_OF_FLAG = {
    leaf.row.flag.removeprefix("--").replace("-", "_"): key
    for key, leaf in LEAVES.items()
    if leaf.row.flag
}


def load(
    flags: Mapping[str, object | None],
    environ: Mapping[str, str],
    cwd: Path,
    user_config_dir: Path | None = None,
    *,
    warn: Callable[[str], None] = lambda _: None,
) -> Settings:
    """Load all settings. Raises SettingsError; uses at most one file, and warns of an ignored one.

    `flags` are named like the flags, with `_` for `-`, and may contain `config`; None and empty
    lists mean "not given". An unknown name is a KeyError: a bug. The default of `user_config_dir`
    is the platform's.
    """
    given = {name: value for name, value in flags.items() if value not in (None, (), [], "")}
    aws_profile = given.pop("aws_profile", None)
    config = given.pop("config", None) or environ.get("BULKUP_CONFIG")
    file = _file_that_counts(config, environ, cwd, user_config_dir, warn)
    written, profiles, named = _from_file(file) if file else ({}, {}, {})
    name = str(given.get("profile") or environ.get("BULKUP_PROFILE") or "")
    if name and file and profiles:
        _require_profile(name, profiles, file)
    elif "profile" in given:
        _require_aws_profile(name, "--profile", environ)
    if name in profiles:
        written |= profiles[name]
        given.pop("profile", None)
        environ = {k: v for k, v in environ.items() if k != "BULKUP_PROFILE"}
    sources = written | _from_environment(environ, cwd) | _from_flags(given, cwd)
    if name in profiles and (own := profiles[name].get("s3.profile")):
        sources["s3.profile"] = own
    if aws_profile:
        _require_aws_profile(str(aws_profile), "--aws-profile", environ)
        sources["s3.profile"] = Written(aws_profile, "--aws-profile", cwd)
    if "push.to" in sources:
        sources = _resolve_name(sources, _from_flags(given, cwd), named, file)
    return _checked(_parsed(sources, environ), sources)


def _parsed(sources: Mapping[str, Written], environ: Mapping[str, str]) -> Values:
    return {
        (*LEAVES[key].path, LEAVES[key].name): _parse(LEAVES[key].kind, source, environ)
        for key, source in sources.items()
        if source.value != ""
    }


class NamesInFile(NamedTuple):
    """Names that a settings file gives."""

    destinations: list[str]
    profiles: list[str]


def names_in_file(environ: Mapping[str, str], cwd: Path) -> NamesInFile:
    """The names in the file that counts here. Raises SettingsError."""
    config = environ.get("BULKUP_CONFIG")
    file = _file_that_counts(config, environ, cwd, None, lambda _: None)
    if file is None:
        return NamesInFile([], [])
    _, profiles, named = _from_file(file)
    return NamesInFile(list(named), list(profiles))


def _file_that_counts(
    config: object,
    environ: Mapping[str, str],
    cwd: Path,
    user_config_dir: Path | None,
    warn: Callable[[str], None],
) -> SettingsFile | None:
    """The one that `config` names, which must be there, or the one here, or the user's."""
    if config:
        from bulkup.settings.trust import read_settings_file

        return read_settings_file(Path(_anchored(str(config), cwd, environ)))
    home = data_directory(environ, cwd)
    return _file_here(cwd, home, warn) or _file_of_user(user_config_dir, warn)


def _require_profile(name: str, profiles: Collection[str], file: SettingsFile) -> None:
    if name not in profiles:
        raise SettingsError(
            f"{file.path} has no profile {name!r}",
            hint=f"It has {', '.join(sorted(profiles))}. An AWS profile: --aws-profile {name}",
        )


def _require_aws_profile(name: str, flag: str, environ: Mapping[str, str]) -> None:
    from bulkup.stores.aws_config import profile_names

    known = profile_names(environ)
    if name not in known:
        others = f"AWS has {', '.join(known)}" if known else "AWS has none here"
        raise SettingsError(
            f"{flag}: there is no profile {name!r}",
            hint=f"{others}; profiles of bulkup.toml are tables [profile.NAME].",
        )


def _resolve_name(
    sources: dict[str, Written],
    flags: dict[str, Written],
    named: Mapping[str, NamedDestination],
    file: SettingsFile | None,
) -> dict[str, Written]:
    """The sources with the URL of a named destination, whose options only flags override."""
    from bulkup.settings.named_destinations import named_destination

    given = sources["push.to"]
    found = named_destination(str(given.value), named)
    if found is None or file is None:
        return sources
    folder, where = file.path.parent, f"{file.path}: destinations"
    for key in found.options:
        if key not in LEAVES:
            raise SettingsError(f'{where}: there is no setting "{key}"')
    options = {key: Written(value, where, folder) for key, value in found.options.items()}
    to = Written(found.to, where, folder)
    return sources | options | flags | {"push.to": to}


def data_directory(environ: Mapping[str, str], cwd: Path) -> Path:
    """bulkup's data directory whatever a settings file says: BULKUP_HOME, or the platform's."""
    home = environ.get("BULKUP_HOME")
    return Path(_anchored(home, cwd, environ) if home else _platform_data_directory())


def _from_flags(given: Mapping[str, object], cwd: Path) -> dict[str, Written]:
    return {
        _KEY_OF_FLAG[flag]: Written(value, f"--{flag.replace('_', '-')}", cwd)
        for flag, value in given.items()
    }


def _from_environment(environ: Mapping[str, str], cwd: Path) -> dict[str, Written]:
    found: dict[str, Written] = {}
    for key, leaf in LEAVES.items():
        for variable in leaf.row.env:
            if text := environ.get(variable):
                found[key] = Written(text, variable, cwd)
                break
    return found


def _from_file(file: SettingsFile) -> FromFile:
    from bulkup.settings.toml_file import read_values  # most users have no such file

    return read_values(file)


def _checked(values: Values, sources: Mapping[str, Written]) -> Settings:
    """Fill in defaults that depend on other settings, and refuse contradictions."""
    home = values.get(("home",))
    if home is None:
        home = values["home",] = _platform_data_directory()
    values.setdefault(("manifest",), str(Path(home, "manifest.db")))
    values["upload", "default_to"] = f"{home}/store"
    values["run", "embed", "models_directory"] = f"{home}/models"
    values["run", "embed", "ca_bundle"] = values.get(("run", "ca_bundle"))
    settings: Settings = build(Settings, values)
    least, most = settings.upload.min_size_bytes, settings.upload.max_size_bytes
    if least is not None and most is not None and least > most:
        above, below = sources["push.min_size"], sources["push.max_size"]
        raise SettingsError(
            f"{above.where} {above.value} is above {below.where} {below.value}: no file fits"
        )
    return settings


def _platform_data_directory() -> str:
    from platformdirs import user_data_dir

    return user_data_dir("bulkup", appauthor=False)


def _file_here(cwd: Path, home: Path, warn: Callable[[str], None]) -> SettingsFile | None:
    """`bulkup.toml` in the current directory, if it may be used."""
    if not (path := cwd / "bulkup.toml").is_file():
        return None
    from bulkup.settings.trust import is_allowed, read_settings_file

    try:
        file = read_settings_file(path)
    except SettingsError as error:
        warn(f"{error}; it is ignored")
        return None
    if is_allowed(file, home):
        return file
    if file.foreign is not None:
        warn(f"{path} is ignored: {file.foreign}")
    else:
        warn(f"{path} is ignored: to use it, read it, then run `bulkup allow`")
    return None


def _file_of_user(user_config_dir: Path | None, warn: Callable[[str], None]) -> SettingsFile | None:
    """`bulkup.toml` in the user's configuration directory."""
    if user_config_dir is None:
        from platformdirs import user_config_path

        user_config_dir = user_config_path("bulkup", appauthor=False)
    path = user_config_dir / "bulkup.toml"
    try:
        if not path.is_file():
            return None
    except PermissionError:  # of another user's HOME, as after `su`: nothing of ours is in there
        return None
    from bulkup.settings.trust import read_settings_file

    file = read_settings_file(path)
    if file.foreign is not None:
        warn(f"{path} is ignored: {file.foreign}")
        return None
    return file


def _parse(kind: Kind, source: Written, environ: Mapping[str, str]) -> Any:
    try:
        parsed = kind.parse(source.value)
    except (ValueError, OverflowError) as error:
        from bulkup.redaction import redact  # a value may hold a password that belongs elsewhere

        value = source.value
        if kind.flag_expects and source.where.startswith("--"):
            shown = " ".join(map(str, value)) if isinstance(value, list) else value
            raise SettingsError(
                f"{source.where} {redact(str(shown))} is not {kind.flag_expects}",
                hint=f"Write {source.where} {kind.flag_expects}",
            ) from error
        shown = f'"{value}"' if isinstance(value, str) else str(value)
        if kind.secret:
            raise SettingsError(f"{source.where} is not {kind.expects}") from None
        raise SettingsError(f"{source.where}: {redact(shown)} is not {kind.expects}") from error
    if not kind.anchored:
        return parsed
    if isinstance(parsed, tuple):
        return tuple(_anchored(path, source.folder, environ) for path in parsed)
    return _anchored(parsed, source.folder, environ)


def _anchored(path: str, folder: Path, environ: Mapping[str, str]) -> str:
    """The absolute path, with `~` expanded; URLs and `-` are unchanged."""
    if path == "-" or path.startswith("file:") or "://" in path:
        return path
    if path == "~" or path.startswith("~/"):
        path = environ.get("HOME", "~") + path[1:]
    return str(folder / path)

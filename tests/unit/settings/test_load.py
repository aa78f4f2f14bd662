"""Who wins, what is refused, and with which words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from bulkup.errors import ExitCode, SettingsError
from bulkup.settings.load import load
from bulkup.settings.table import Settings, describe
from bulkup.settings.trust import allow, read_settings_file

Load = Callable[..., Settings]


@pytest.fixture
def load_here(tmp_path: Path) -> Load:
    """Load with the given file text, environment and flags, away from this machine's own."""

    def load_these(
        toml: str | None = None, environ: Mapping[str, str] | None = None, **flags: object
    ) -> Settings:
        if toml is not None:
            (tmp_path / "bulkup.toml").write_text(toml, "utf-8")
            flags.setdefault("config", "bulkup.toml")
        return load(flags, environ or {}, tmp_path, tmp_path / "config")

    return load_these


def test_defaults_are_those_of_the_contract(load_here: Load) -> None:
    settings = load_here()
    assert settings.upload.stages == ("upload", "process", "embed")
    assert (settings.upload.layout, settings.upload.on_duplicate) == ("path", "skip")
    assert settings.run.concurrency is None
    assert settings.run.patience_seconds == 30
    assert settings.run.stale_after_seconds == 600
    assert settings.run.part_threshold_bytes == 64 * 1024**2
    assert settings.run.part_size_bytes == 16 * 1024**2
    assert settings.upload.to is None
    assert settings.upload.include == ()
    assert settings.upload.metadata == {}


def test_flags_beat_the_environment_beats_the_file_beats_the_default(load_here: Load) -> None:
    toml, environ = "[push]\nlimit = 1\n", {"BULKUP_LIMIT": "2"}
    assert load_here().run.limit is None
    assert load_here(toml).run.limit == 1
    assert load_here(toml, environ).run.limit == 2
    assert load_here(toml, environ, limit=3).run.limit == 3


@pytest.mark.parametrize("not_given", [None, [], ()])
def test_a_flag_that_was_not_given_decides_nothing(load_here: Load, not_given: object) -> None:
    assert load_here("[push]\ninclude = ['*.jpg']", include=not_given).upload.include == ("*.jpg",)


def test_a_flag_that_says_no_is_given(load_here: Load) -> None:
    assert load_here("[push]\nhidden = true", hidden=False).upload.hidden is False


def test_an_empty_variable_is_not_set(load_here: Load) -> None:
    assert load_here("[push]\nlimit = 1", {"BULKUP_LIMIT": ""}).run.limit == 1


def test_a_name_that_is_no_flag_is_a_bug(load_here: Load) -> None:
    with pytest.raises(KeyError):
        load_here(limmit=3)


@pytest.mark.parametrize(
    ("environ", "endpoint_url"),
    [
        ({"AWS_ENDPOINT_URL": "http://a"}, "http://a"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b"}, "http://b"),
        ({"AWS_ENDPOINT_URL_S3": "http://b", "BULKUP_ENDPOINT_URL": "http://c"}, "http://c"),
    ],
)
def test_own_variables_beat_the_aws_ones(
    load_here: Load, environ: dict[str, str], endpoint_url: str
) -> None:
    assert load_here(environ=environ).run.endpoint_url == endpoint_url


def test_aws_variables_are_understood(load_here: Load) -> None:
    environ = {"AWS_DEFAULT_REGION": "r", "AWS_PROFILE": "p", "AWS_CA_BUNDLE": "/ca.pem"}
    settings = load_here(environ=environ)
    assert (settings.run.region, settings.run.profile, settings.run.ca_bundle) == (
        "r",
        "p",
        "/ca.pem",
    )
    assert load_here(environ={**environ, "AWS_REGION": "first"}).run.region == "first"


def test_every_setting_can_come_from_each_of_its_variables(load_here: Load) -> None:
    """The example of each setting, as an environment would write it, is taken and changes it."""
    for row in describe():
        value = row.example
        if isinstance(value, dict):
            text = ",".join(f"{k}={v}" for k, v in value.items())
        elif isinstance(value, list):
            text = ",".join(value)
        else:
            text = {True: "true", False: "yes"}.get(value, str(value))  # type: ignore[call-overload]
        for variable in row.env:
            settings = load_here(environ={variable: text, "HOME": "/h"})
            if row.example != row.default:
                assert settings != load_here(environ={"HOME": "/h"}), variable


# --- the file -----------------------------------------------------------------------------------


def test_the_current_directory_comes_before_the_users(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/bulkup.toml").write_text("[push]\nlimit = 1\nmax_errors = 1")
    assert load({}, {}, tmp_path, tmp_path / "config").run.limit == 1
    (tmp_path / "bulkup.toml").write_text("[push]\nlimit = 2")
    allow(read_settings_file(tmp_path / "bulkup.toml"), tmp_path / "home")
    both = load({}, {"BULKUP_HOME": str(tmp_path / "home")}, tmp_path, tmp_path / "config")
    assert (both.run.limit, both.run.max_errors) == (2, None), "files are not merged"


def test_config_names_the_file_and_the_flag_wins(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[push]\nlimit = 1")
    (tmp_path / "b.toml").write_text("[push]\nlimit = 2")
    environ = {"BULKUP_CONFIG": "a.toml"}
    assert load({}, environ, tmp_path, tmp_path).run.limit == 1
    assert load({"config": Path("b.toml")}, environ, tmp_path, tmp_path).run.limit == 2


def test_a_file_of_notepad_is_read_or_told_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbf[push]\r\nlimit = 1\r\n")
    assert load({"config": "a.toml"}, {}, tmp_path, tmp_path).run.limit == 1
    (tmp_path / "a.toml").write_bytes("[push]\r\nlimit = 1\r\n".encode("utf-16"))
    with pytest.raises(SettingsError, match=r"a\.toml is UTF-16"):
        load({"config": "a.toml"}, {}, tmp_path, tmp_path)


def test_a_configuration_directory_of_another_user_has_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `su`, with HOME as it was: nothing of this user's is in there."""

    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", lambda path: "root" in path.parts and refuse(path))
    assert load({}, {}, tmp_path, tmp_path / "root").run.limit is None


def test_a_named_file_that_is_missing_is_an_error_that_names_it(load_here: Load) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml: No such file"):
        load_here(config="gone.toml")


@pytest.mark.parametrize("content", [b"limit = ", b"a = '\xff'", b"a = 1\na = 2"])
def test_what_is_no_toml_is_an_error_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bulkup.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"bulkup\.toml is no TOML"):
        load({"config": "bulkup.toml"}, {}, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("toml", "unknown", "nearest"),
    [
        ("[push]\nlimits = 1", "push.limits", "push.limit"),
        ("[push]\nmax-rate = 1", "push.max-rate", "push.max_rate"),
        ("manifets = 'x'", "manifets", "manifest"),
        ("to = 's3://b'", "to", "push.to"),
        ("[pusch]\nlimit = 1", "pusch.limit", "push.limit"),
        ("[pusch]", "pusch", ""),
        ("[profile.p.push]\nlimits = 1", "profile.p.push.limits", "profile.p.push.limit"),
        ("[profile.p]\nto = 's3://b'", "profile.p.to", "profile.p.push.to"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_the_nearest(
    load_here: Load, toml: str, unknown: str, nearest: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_here(toml)
    assert "bulkup.toml" in str(caught.value)
    assert caught.value.exit_code == ExitCode.USAGE
    assert f'"{unknown}"' in str(caught.value)
    assert f'nearest is "{nearest}' in str(caught.value)


@pytest.mark.parametrize("toml", ["push = 1", "profile.p.push = 'x'"])
def test_a_value_in_place_of_a_table_is_refused(load_here: Load, toml: str) -> None:
    with pytest.raises(SettingsError, match="push is a table"):
        load_here(toml)


def test_a_table_in_place_of_a_value_is_refused(load_here: Load) -> None:
    with pytest.raises(SettingsError, match=r"push\.limit: \{'x': 1\} is not a whole number"):
        load_here("[push.limit]\nx = 1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("push.limit", "true"),
        ("push.limit", "-1"),
        ("push.limit", "1.5"),
        ("push.limit", "[1]"),
        ("push.hidden", "1"),
        ("push.hidden", '"maybe"'),
        ("push.layout", '"flat"'),
        ("push.layout", "[]"),
        ("push.stages", '["upload", "download"]'),
        ("push.stages", "[]"),
        ("push.include", "[1]"),
        ("push.include", "{ a = 1 }"),
        ("push.concurrency", '"many"'),
        ("push.min_size", "-1"),
        ("push.min_size", '"1 pound"'),
        ("push.max_duration", '"0"'),
        ("push.max_rate", "nan"),
        ("push.max_rate", "inf"),
        ("push.bwlimit", "0"),
        ("push.patience", '"soon"'),
        ("push.patience", "true"),
        ("s3.metadata", "{ a = 1 }"),
        ("s3.metadata", '"a"'),
        ("s3.part_size", '"4MiB"'),
        ("s3.part_threshold", '"6GiB"'),
        ("s3.region", "1"),
        ("claims.stale_after", "0"),
        ("push.newer_than", '"yesterday"'),
        ("push.older_than", "30"),
        ("manifest", "1979-05-27"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_file_and_key(
    load_here: Load, key: str, value: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_here(f"{key} = {value}")
    assert f"bulkup.toml: {key}: " in str(caught.value)
    assert " is not " in str(caught.value)


def test_a_password_in_a_wrong_value_is_not_shown(load_here: Load) -> None:
    with pytest.raises(SettingsError, match=r"dask://\*\*\*host:1") as error:
        load_here(environ={"BULKUP_ENGINE": "dask://me:hush-hush@host:1"})
    assert "hush" not in str(error.value)


def test_a_wrong_variable_is_named_with_its_value_and_what_is_expected(load_here: Load) -> None:
    with pytest.raises(SettingsError) as caught:
        load_here(environ={"BULKUP_LIMIT": "some"})
    assert str(caught.value) == 'BULKUP_LIMIT: "some" is not a whole number from 0'


def test_a_wrong_flag_is_named(load_here: Load) -> None:
    with pytest.raises(SettingsError, match=r'^--min-size: "big" is not a size'):
        load_here(min_size="big")


def test_sizes_that_leave_no_file_are_refused(load_here: Load) -> None:
    with pytest.raises(SettingsError, match="no file fits"):
        load_here(min_size="2M", max_size="1M")
    assert load_here(min_size="1M", max_size="1M").upload.min_size_bytes == 1024**2


# --- paths --------------------------------------------------------------------------------------


def test_paths_start_where_they_were_written(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "c.toml").write_text("manifest = 'm.db'\nlog_file = '/l'\npush.to = 'store'")
    settings = load({"config": there / "c.toml", "files_from": "f"}, {}, tmp_path, tmp_path)
    assert settings.manifest == str(there / "m.db")
    assert settings.log_file == "/l"
    assert settings.upload.to == str(there / "store")
    assert settings.upload.files_from == str(tmp_path / "f")


@pytest.mark.parametrize("to", ["s3://bucket/prefix", "file:///srv/store"])
def test_urls_stay_as_they_are(load_here: Load, to: str) -> None:
    assert load_here(to=to).upload.to == to


def test_standard_input_stays_a_dash(load_here: Load) -> None:
    assert load_here(files_from="-").upload.files_from == "-"


def test_watched_folders_are_relative_to_where_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[serve]\nwatch = ["in", "~/photos", "/card"]')
    environ = {"HOME": "/home/me"}
    settings = load({"config": tmp_path / "c.toml"}, environ, tmp_path / "cwd", tmp_path)
    assert settings.serve.watch == (str(tmp_path / "in"), "/home/me/photos", "/card")
    environ["BULKUP_SERVE_WATCH"] = "a, b"
    settings = load({"config": tmp_path / "c.toml"}, environ, Path("/cwd"), tmp_path)
    assert settings.serve.watch == ("/cwd/a", "/cwd/b")


@pytest.mark.parametrize("value", ['"s3://b/p"', '["https://h/"]', '["a", ""]', "[1]", "true"])
def test_what_is_no_folder_to_watch_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "c.toml").write_text(f"[serve]\nwatch = {value}")
    with pytest.raises(SettingsError, match="list of folders"):
        load({"config": tmp_path / "c.toml"}, {}, tmp_path, tmp_path)


def test_the_manifest_lies_in_home(load_here: Load) -> None:
    settings = load_here("manifest = ''", {"BULKUP_HOME": "~/b", "HOME": "/h"})
    assert (settings.home, settings.manifest) == ("/h/b", "/h/b/manifest.db")
    assert load_here().manifest.endswith("/bulkup/manifest.db")


# --- values -------------------------------------------------------------------------------------


def test_stages_are_put_in_their_order_and_unknown_ones_refused(load_here: Load) -> None:
    assert load_here(stages="embed,upload").upload.stages == ("upload", "embed")
    with pytest.raises(SettingsError, match="process"):
        load_here(stages="upload,download")


def test_metadata_comes_as_table_variable_or_flags(load_here: Load) -> None:
    expected = {"a": "1", "b": "x=y"}
    assert load_here("[s3.metadata]\na = '1'\nb = 'x=y'").upload.metadata == expected
    assert load_here(environ={"BULKUP_METADATA": "a=1, b=x=y"}).upload.metadata == expected
    assert load_here(metadata=["a=1", "b=x=y"]).upload.metadata == expected
    assert load_here(tag=["a=1"]).upload.tags == {"a": "1"}


def test_rates_may_say_per_second(load_here: Load) -> None:
    settings = load_here(max_rate="100/s", bwlimit="10M/s")
    assert settings.run.max_rate_per_second == 100
    assert settings.run.bwlimit_bytes_per_second == 10 * 1024**2


@pytest.mark.parametrize(
    "url", ["http://h:99999/", "http://h:x/", "ftp://h/", "http:///x", "h/x", "http://[::1/"]
)
def test_a_url_that_cannot_be_called_is_refused_without_being_repeated(
    load_here: Load, url: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_here(environ={"BULKUP_NOTIFY_WEBHOOK": url})
    assert str(caught.value).startswith("BULKUP_NOTIFY_WEBHOOK is not a URL")
    assert url not in str(caught.value)


def test_a_date_of_toml_is_a_date(load_here: Load) -> None:
    assert load_here("[push]\nnewer_than = 2026-01-31").upload.newer_than == datetime(2026, 1, 31)  # noqa: DTZ001 - local


# --- profiles -----------------------------------------------------------------------------------

PROFILES = """
push.limit = 1
push.max_errors = 1
s3.profile = "from-file"
[profile.work]
push.limit = 2
s3.profile = "work-aws"
[profile.plain]
push.limit = 3
"""


def test_a_profile_overrides_the_file_and_keeps_the_rest(load_here: Load) -> None:
    settings = load_here(PROFILES, profile="work")
    assert (settings.run.limit, settings.run.max_errors, settings.run.profile) == (2, 1, "work-aws")
    assert load_here(PROFILES, {"BULKUP_PROFILE": "work"}).run.limit == 2


def test_the_environment_beats_a_profile(load_here: Load) -> None:
    assert load_here(PROFILES, {"BULKUP_LIMIT": "9"}, profile="work").run.limit == 9


def test_a_profiles_aws_profile_takes_the_place_of_the_name_that_chose_it(load_here: Load) -> None:
    environ = {"AWS_PROFILE": "from-env"}
    assert load_here(PROFILES, environ, profile="work").run.profile == "work-aws"
    assert load_here(PROFILES, environ | {"BULKUP_PROFILE": "work"}).run.profile == "work-aws"


def test_a_profile_without_aws_profile_leaves_that_to_the_others(load_here: Load) -> None:
    assert load_here(PROFILES, profile="plain").run.profile == "from-file"
    assert (
        load_here(PROFILES, {"AWS_PROFILE": "from-env"}, profile="plain").run.profile == "from-env"
    )


@pytest.fixture
def aws(tmp_path: Path) -> dict[str, str]:
    """AWS' files with the profiles `other` and `work`."""
    (tmp_path / "aws").write_text("[profile other]\n[profile work]\n")
    return {"AWS_CONFIG_FILE": str(tmp_path / "aws"), "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def test_where_the_file_has_no_profiles_a_name_is_an_aws_profile(
    load_here: Load, aws: dict[str, str]
) -> None:
    settings = load_here("push.limit = 1", aws, profile="other")
    assert (settings.run.limit, settings.run.profile) == (1, "other")


@pytest.mark.parametrize("flag", ["profile", "aws_profile"])
def test_a_name_that_aws_does_not_know_either_is_refused(
    load_here: Load, aws: dict[str, str], flag: str
) -> None:
    """With a directory as destination nothing else would notice."""
    with pytest.raises(SettingsError, match="there is no profile 'archve'") as caught:
        load_here("push.limit = 1", aws, **{flag: "archve"})
    assert "AWS has other, work" in (caught.value.hint or "")


def test_an_aws_profile_can_be_named_beside_one_of_the_file(
    load_here: Load, aws: dict[str, str]
) -> None:
    settings = load_here(PROFILES, aws, profile="plain", aws_profile="work")
    assert settings.run.profile == "work"


@pytest.mark.parametrize(
    ("environ", "flags"), [({}, {"profile": "wrok"}), ({"BULKUP_PROFILE": "wrok"}, {})]
)
def test_a_misspelt_profile_is_no_aws_profile(
    load_here: Load, environ: dict[str, str], flags: dict[str, str]
) -> None:
    """Its push would go to the default destination."""
    with pytest.raises(SettingsError, match="has no profile 'wrok'") as caught:
        load_here(PROFILES, environ, **flags)
    assert caught.value.hint == "It has plain, work. An AWS profile: --aws-profile wrok"


def test_aws_profile_chooses_no_table(load_here: Load) -> None:
    assert load_here(PROFILES, {"AWS_PROFILE": "work"}).run.limit == 1


@pytest.mark.parametrize("toml", ["profile = 'work'", "profile.work = 'x'"])
def test_a_profile_that_is_no_table_is_refused(load_here: Load, toml: str) -> None:
    with pytest.raises(SettingsError, match="is no table"):
        load_here(toml)


# --- the table ----------------------------------------------------------------------------------


def test_names_are_unique() -> None:
    rows = list(describe())
    variables = [variable for row in rows for variable in row.env]
    assert len(set(variables)) == len(variables)
    assert len({row.key for row in rows}) == len(rows)
    flags = [row.flag for row in rows if row.flag]
    assert len(set(flags)) == len(flags)


def test_every_setting_says_what_it_is_in_one_line() -> None:
    for row in describe():
        assert row.help.endswith("."), row.key
        assert "\n" not in row.help, row.key


def test_importing_settings_is_light() -> None:
    """Every command loads them: nothing heavy, and TOML only if there is a file."""
    code = "import sys, bulkup.settings.load; print(*sys.modules)"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    ).stdout.split()
    assert not {"tomllib", "platformdirs", "difflib", "typer", "rich", "asyncio"} & set(loaded)


@pytest.mark.parametrize(
    "variants",
    ["thumb", "thumb:0:webp:80", "a:64:gif:80", "a:64:webp:0", "a:64:webp:80,a:32:webp:80",
     "original:64:webp:80", "copy:64:webp:80", "../x:64:webp:80", ""],
)  # fmt: skip
def test_variants_that_cannot_be_are_refused(load_here: Load, variants: str) -> None:
    with pytest.raises(SettingsError, match="variants"):
        load_here(f"[process]\nvariants = {variants.split(',')!r}")


def test_variants_are_name_size_format_and_quality(load_here: Load) -> None:
    settings = load_here("[process]\nvariants = ['small:96:jpeg:70', 'big:2048:avif:55']")
    assert settings.run.process.variants == (("small", 96, "jpeg", 70), ("big", 2048, "avif", 55))


def test_contradictions_are_named_as_they_were_typed(load_here: Load) -> None:
    with pytest.raises(SettingsError) as caught:
        load_here(min_size="5GB", max_size="1MB")
    assert str(caught.value) == "--min-size 5GB is above --max-size 1MB: no file fits"

"""What is printed: JSON lines, logs, plain lines in pipes, bars on a terminal."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pexpect
import pytest

from tests.e2e.conftest import LIMIT_SECONDS, PROGRAM, Bulkup
from tests.e2e.trees import access, digest, make_tree, many, objects_in, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3

pytestmark = pytest.mark.usefixtures("uploads_only")

ESCAPE = "\x1b"


def test_json_events(bulkup: Bulkup, tmp_path: Path) -> None:
    """Every line of standard output is an object with `at`, `run_id` and `event`."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(1), "c.txt": b""})
    ended = bulkup("push", "photos", "--to", "store", "--json")
    lines = ended.lines()
    assert (lines[0]["event"], lines[-1]["event"]) == ("run_started", "summary")
    assert len({line["run_id"] for line in lines}) == 1
    assert all(re.fullmatch(r"[\d-]+T[\d:.]+Z", line["at"]) for line in lines)
    done = {line["path"]: line for line in lines if line["event"] == "uploaded"}
    assert {path: line["how"] for path, line in done.items()} == {
        f"{root}/a.jpg": "sent",
        f"{root}/b.jpg": "duplicate",
    }
    assert done[f"{root}/a.jpg"]["digest"] == digest(picture(1))
    (left_out,) = (line for line in lines if line["event"] == "left_out")
    assert left_out["path"] == "c.txt"
    assert lines[-1]["exit_code"] == 0
    assert "1 uploaded" in ended.stderr


def test_events_give_duplicates_the_key_of_the_object(bulkup: Bulkup, tmp_path: Path) -> None:
    """Never a key at which there is no object, whether the original was sent now or earlier."""
    root = make_tree(
        tmp_path / "photos",
        {"a/one.jpg": picture(1), "b/two.jpg": picture(1), "c/three.jpg": picture(1)},
    )
    events = bulkup("push", "photos", "--to", "store", "--json").lines()
    make_tree(root, {"d/four.jpg": picture(1)})
    events += bulkup("push", "photos", "--json").lines()
    keys = {line["path"]: line["key"] for line in events if line["event"] == "uploaded"}
    assert len(keys) == 4
    assert set(keys.values()) == {"a/one.jpg"} & objects_in(tmp_path / "store").keys()


@pytest.mark.parametrize(
    ("copies", "original"),
    [
        (("copy 0.jpg", "2004/London/0070.jpg"), "2004/London/0070.jpg"),
        (("0070 (1).jpg", "0070 copy.jpg", "0070.jpg"), "0070.jpg"),
        (("a.jpg", "backup/a.jpg"), "a.jpg"),
    ],
    ids=["filed", "beside", "above"],
)
@pytest.mark.parametrize("size_bytes", [0, 2_000_000], ids=["small", "large"])
def test_of_equal_files_none_that_is_named_as_a_copy_is_the_object(
    bulkup: Bulkup, tmp_path: Path, copies: tuple[str, ...], original: str, size_bytes: int
) -> None:
    content = picture(1) + bytes(size_bytes)
    make_tree(tmp_path / "photos", dict.fromkeys(copies, content))
    assert bulkup("push", "photos", "--to", "store").code == 0
    assert set(objects_in(tmp_path / "store")) == {original}


def test_a_duplicate_whose_object_is_not_stored_has_no_key(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(1)})
    store = tmp_path / "store"
    make_tree(store, {"a.jpg": b"another's", f"a~{digest(picture(1))[:8]}.jpg": b"another's"})
    events = bulkup("push", "photos", "--to", "store", "--json", check=3).lines()
    (duplicate,) = (line for line in events if line["event"] == "uploaded")
    assert (duplicate["how"], duplicate["key"]) == ("duplicate", None)


def test_a_log_file_gets_the_same_lines(bulkup: Bulkup, tmp_path: Path) -> None:
    """Appended, readable by its owner only; --quiet does not silence it."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    for _ in range(2):
        ended = bulkup("push", "photos", "--to", "store", "--log-file", "log", "--quiet")
        assert ended.stdout == ended.stderr == ""
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["event"] for line in lines].count("summary") == 2
    assert len({line["run_id"] for line in lines}) == 2
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_on_a_full_disk_is_reported_once_and_the_run_continues(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    many(tmp_path / "photos", 30)
    ended = bulkup("push", "photos", "--to", "store", "--log-file", "/dev/full", "--quiet")
    (message,) = ended.stderr.splitlines()
    assert message.startswith("--log-file /dev/full: No space left on device")
    assert len(list((tmp_path / "store").rglob("*.jpg"))) == 30


def test_a_pipe_gets_one_plain_line(bulkup: Bulkup, tmp_path: Path) -> None:
    many(tmp_path / "photos", 30)
    ended = bulkup("push", "photos", "--to", "store")
    assert ESCAPE not in ended.stdout + ended.stderr
    assert len(ended.stdout.splitlines()) == 1
    assert ended.stderr == ""


def test_verbose_prints_a_line_a_file(bulkup: Bulkup, tmp_path: Path) -> None:
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(1)})
    ended = bulkup("push", "photos", "--to", "store", "-v")
    assert f"sent {root}/a.jpg → a.jpg\n" in ended.stderr
    assert f"duplicate {root}/b.jpg → " in ended.stderr


def test_a_reader_that_goes_away_is_no_error(bulkup: Bulkup, tmp_path: Path) -> None:
    many(tmp_path / "photos", 300, 50)
    bulkup("push", "photos", "--to", "store")
    command = f"{PROGRAM} files; echo code $? >&2"
    ended = subprocess.run(
        ["bash", "-c", f"({command}) | true"],
        env=bulkup.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr == "code 0\n"


@pytest.mark.parametrize("options", ["-v", "--json -v", ""])
def test_a_push_whose_output_nobody_reads_any_more_goes_on(
    bulkup: Bulkup, tmp_path: Path, options: str
) -> None:
    """It stopped at the next line, with exit code 0."""
    make_tree(tmp_path / "photos", {**{f"{n}.jpg": picture(n) for n in range(9)}, "z.zip": b"PK"})
    command = f"{PROGRAM} push photos --to store {options} 2>&1; echo $? >code"
    subprocess.run(
        ["bash", "-c", f"({command}) | true"],
        env=bulkup.environment(),
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert (tmp_path / "code").read_text() == "3\n"
    assert len(objects_in(tmp_path / "store")) == 9


def _on_a_terminal(bulkup: Bulkup, env: dict[str, str], *args: str) -> pexpect.spawn[str]:
    return pexpect.spawn(
        str(PROGRAM),
        list(args),
        env={**bulkup.environment({"TERM": "xterm-256color", "LANG": "C.UTF-8", **env})},  # type: ignore[arg-type]
        cwd=str(bulkup.directory),
        encoding="utf-8",
        dimensions=(30, 120),
        timeout=30,
    )


def test_lines_on_a_narrow_terminal_break_between_words(bulkup: Bulkup, tmp_path: Path) -> None:
    """Of a dry run, the list of models, a warning, and the error of the last run."""
    many(tmp_path / "photos", 3)
    (tmp_path / "photos" / "note.txt").write_text("x")
    (tmp_path / "photos" / ".hidden.jpg").write_text("x")
    (tmp_path / "photos" / "Thumbs.db").write_text("x")
    shown = ""
    (tmp_path / "bulkup.toml").write_text("")  # not allowed
    bulkup("push", "photos", "--to", "none/store", check=4)
    for args in (("push", "photos", "-n"), ("models",), ("status",)):
        command = _on_a_terminal(bulkup, {"NO_COLOR": "1", "COLUMNS": "80"}, *args)
        command.setwinsize(24, 80)
        command.expect(pexpect.EOF)
        command.close()
        shown += command.before
    wide = [line for line in shown.splitlines() if len(line) > 80]
    assert all(re.match(r"(Dry run to )? *'?/\S+$", line[:100]) for line in wide), wide
    assert "models add datacomp --from DIRECTORY" in shown, "the state is whole"
    assert "bulkup allow`" in shown
    assert "Last: push ended by the destination" in shown


@pytest.mark.parametrize("no_color", [False, True])
def test_bars_on_a_terminal(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3], no_color: bool
) -> None:
    """A bar while it runs, the summary in its place at the end; NO_COLOR takes the colours."""
    many(tmp_path / "photos", 30)
    s3 = fake_s3(faults=[Fault(op="PutObject", after=10, times=None, does="hold")])
    env = access(s3.url, **({"NO_COLOR": "1"} if no_color else {}))
    push = _on_a_terminal(bulkup, env, "push", "photos", "--to", "s3://bucket")
    push.expect("Uploading")
    push.expect(r"\d+/30")
    push.expect(r"\d of \d+ connection")
    s3.release()
    push.expect("Done in")
    push.expect("30 uploaded")
    push.expect(pexpect.EOF)
    push.close()
    assert push.exitstatus == 0
    assert "\x1b[?25l" not in push.before, "the cursor is shown again"


def test_no_colour_codes_under_no_color(bulkup: Bulkup, tmp_path: Path) -> None:
    many(tmp_path / "photos", 5)
    push = _on_a_terminal(bulkup, {"NO_COLOR": "1"}, "push", "photos", "--to", "store")
    push.expect(pexpect.EOF)
    push.close()
    shown = push.before
    assert not re.search(r"\x1b\[[0-9;]*3[0-9](;[0-9]+)*m", shown)
    status = _on_a_terminal(bulkup, {"NO_COLOR": "1"}, "status")
    status.expect("5 files")
    status.expect(pexpect.EOF)
    status.close()
    assert status.exitstatus == 0


def test_ctrl_c_on_a_terminal(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", 30)
    s3 = fake_s3(faults=[Fault(op="PutObject", after=10, times=None, does="hold")])
    push = _on_a_terminal(bulkup, access(s3.url), "push", "photos", "--to", "s3://bucket")
    s3.wait_for("PutObject", 11)
    push.sendintr()
    push.expect(r"stopping: \d+ requests? to finish; Ctrl-C again to leave at once")
    push.expect("Stopped after")
    push.expect("Resume: +bulkup resume")
    push.expect(pexpect.EOF)
    push.close()
    assert push.exitstatus == 130


@pytest.fixture
def filled(bulkup: Bulkup, tmp_path: Path) -> Bulkup:
    """More rows than a pipe holds."""
    names = {f"{n:04} {'long name ' * 12}.jpg": picture(n, 50) for n in range(800)}
    make_tree(tmp_path / "photos", names)
    bulkup("push", "photos", "--to", "to", "--stages", "upload", "--quiet")
    return bulkup


ROWS = (
    ("files",),
    ("files", "--csv"),
    ("files", "--json"),
    ("export", "--format", "jsonl"),
    ("export", "--format", "csv"),
)


def test_a_reader_that_goes_away_is_no_error_of_any_table(filled: Bulkup) -> None:
    for args in ROWS:
        process = filled.start(*args)
        assert process.stdout is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr is not None
        stderr = process.stderr.read()
        assert (process.wait(LIMIT_SECONDS), stderr) == (0, ""), args


def test_a_full_disk_behind_standard_output_is_named_and_no_bug(filled: Bulkup) -> None:
    for args in (*ROWS, ("history",), ("doctor",)):
        with Path("/dev/full").open("w") as full:
            ended = subprocess.run(
                [PROGRAM, *args],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env=filled.environment(),
                cwd=filled.directory,
                check=False,
            )
        assert "No space left on device" in ended.stderr, args
        assert "Traceback" not in ended.stderr, args
        assert ended.returncode == 2, args


def test_a_full_disk_behind_the_messages_changes_no_exit_code(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    (tmp_path / "list").write_text("a.jpg\ngone.jpg\n")
    listed = ("push", "photos", "--to", "store", "--stages", "upload", "--files-from", "list")
    expected = {
        ("push", "photos", "--to", "store", "--stages", "upload", "--verbose"): 0,
        listed: 3,
        ("push", "photos", "--to", "away/too/far"): 4,
        ("push", "away"): 2,
        ("status", "--manifest", "list"): 5,
        ("status", "--wrong"): 2,
    }
    for args, code in expected.items():
        with Path("/dev/full").open("w") as full:
            assert _code(bulkup, args, stderr=full) == code, args
            if code != 0 and args[0] == "push":
                assert _code(bulkup, args, stdout=full, stderr=full) == code, args
    assert set(objects_in(tmp_path / "store")) == {"a.jpg"}


def _code(
    bulkup: Bulkup, args: tuple[str, ...], *, stderr: IO[str], stdout: IO[str] | None = None
) -> int:
    ended = subprocess.run(
        [PROGRAM, *args],
        stdout=stdout or subprocess.DEVNULL,
        stderr=stderr,
        env=bulkup.environment(),
        cwd=bulkup.directory,
        check=False,
    )
    return ended.returncode


def test_names_have_the_same_keys_in_every_locale(bulkup: Bulkup, tmp_path: Path) -> None:
    """Python takes names for Latin-1 or ASCII where the locale is and its UTF-8 mode is off."""
    make_tree(
        tmp_path / "photos", {"\u00fc \u5199\u771f.jpg": picture(1), os.fsdecode(b"\xe9.jpg"): b"x"}
    )
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    bulkup("push", "photos", "--to", "one", "--stages", "upload")
    bulkup("push", "photos", "--to", "two", "--stages", "upload", env=ascii_only)
    keys = [sorted(os.listdir(tmp_path / place)) for place in ("one", "two")]
    assert keys[0] == keys[1]
    for command in (("verify",), ("free", "photos"), ("pull", "--into", "back"), ("status",)):
        bulkup(*command, env=ascii_only)
    assert "\\u5199" in bulkup("files", env=ascii_only).stdout


def test_output_in_another_encoding_shows_every_name(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"\u00fc \u5199\u771f.jpg": picture(1)})
    bulkup("push", "photos", "--to", "to", "--stages", "upload")
    env = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    for args in (("files",), ("files", "--csv"), ("files", "--json"), ("export",), ("history",)):
        shown = bulkup(*args, env=env).stdout
        assert "\\u5199" in shown or args == ("history",), args

"""The verbs and options of other tools, and what bulkup has for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bulkup.errors import UsageError

_PUSH = "push DIR --to s3://bucket/prefix"
_PULL = "pull --into DIR"

OTHERS: Final = {
    # rclone, s5cmd, aws s3, mc, immich, restic, borg, git, rsync
    **dict.fromkeys(
        ("add", "backup", "bisync", "copy", "copyto", "cp", "create", "import", "mirror", "mv",
         "move", "put", "rsync", "send", "store", "sync", "upload"),
        _PUSH,
    ),
    **dict.fromkeys(
        ("cat", "checkout", "clone", "download", "extract", "fetch", "get", "recover"), _PULL
    ),
    **dict.fromkeys(("snapshots", "log", "logs", "batches", "runs"), "history"),
    **dict.fromkeys(("check", "cryptcheck", "fsck", "hashsum", "sha256sum", "audit"), "verify"),
    **dict.fromkeys(("prune", "cleanup", "gc", "compact", "purge"), "clean"),
    **dict.fromkeys(("del", "delete", "rm", "remove", "unlink"), "free PATH"),
    **dict.fromkeys(("list", "lsf", "lsjson", "lsl", "tree"), "ls"),
    **dict.fromkeys(("ncdu", "size", "usage", "about"), "du"),
    **dict.fromkeys(("info", "stat", "stats", "progress", "ps"), "status"),
    **dict.fromkeys(("failures", "failed", "errors", "dead-letters"), "status --failed"),
    **dict.fromkeys(("find", "grep", "ask"), "search WORDS"),
    **dict.fromkeys(("dedupe", "dedup", "duplicates"), "search --duplicates"),
    **dict.fromkeys(("thumbs", "thumbnails", "thumbnail", "previews"), "process"),
    **dict.fromkeys(("index", "vectors", "embeddings"), "embed"),
    **dict.fromkeys(("config", "configure", "setup", "settings"), "init"),
    **dict.fromkeys(("remotes", "listremotes", "destinations", "repos"), "status"),
    **dict.fromkeys(("mount", "open", "browse", "web", "gui", "ui"), "serve"),
    **dict.fromkeys(("continue", "restart"), "resume"),
    **dict.fromkeys(("requeue", "redrive"), "retry --failed"),
    **dict.fromkeys(("repair", "reindex"), "rebuild --from DEST"),
    **dict.fromkeys(("dump"), "export"),
    **dict.fromkeys(("ack", "acknowledge", "ignore", "dismiss"), "accept"),
    **dict.fromkeys(("login", "auth", "test", "ping", "diagnose"), "doctor --to DEST"),
    **dict.fromkeys(("completion", "completions"), "--install-completion"),
}  # fmt: skip
"""The command line of bulkup for a verb of another tool."""

_OPTIONS: Final = {
    **dict.fromkeys(("--dst", "--dest", "--destination", "--target", "--repo", "-r"), "--to DEST"),
    **dict.fromkeys(
        ("--transfers", "--checkers", "--numworkers", "--threads", "--jobs", "-j"),
        "--concurrency N",
    ),
    **dict.fromkeys(("--endpoint", "--s3-endpoint", "--url"), "--endpoint-url URL"),
    **dict.fromkeys(("--dryrun", "--simulate", "--what-if"), "--dry-run"),
    **dict.fromkeys(("--filter", "--glob"), "--include GLOB"),
    **dict.fromkeys(("--ignore", "--exclude-from"), "--exclude GLOB, or a file .bulkupignore"),
    **dict.fromkeys(("--limit-upload", "--bandwidth", "--rate"), "--bwlimit RATE"),
    **dict.fromkeys(("--debug", "-vv", "--log-level"), "--verbose, or --log-file FILE"),
}
_NEEDLESS: Final = {
    **dict.fromkeys(("--progress", "-P"), "Progress is shown on every terminal."),
    **dict.fromkeys(("--recursive", "-R"), "Folders are always pushed with all that is in them."),
    **dict.fromkeys(
        ("--delete", "--delete-after", "--remove"), "bulkup deletes nothing at a destination."
    ),
    **dict.fromkeys(
        ("--no-clobber", "--ignore-existing", "--size-only", "--checksum"),
        "Nothing is ever overwritten, and files are compared by their digests.",
    ),
}


def option_hint(option: str) -> str | None:
    """What to say of an option that other tools have."""
    if option in _OPTIONS:
        return f"Did you mean: {_OPTIONS[option]}"
    return _NEEDLESS.get(option)


def unknown_command(name: str, known: Iterable[str]) -> UsageError:
    """What to say of a command that bulkup does not have."""
    from difflib import get_close_matches

    names = list(known)
    other = OTHERS.get(name.lower())
    if other is not None and (other.startswith("-") or other.split()[0] in names):
        return UsageError(f"there is no command {name}", hint=f"Did you mean: bulkup {other}")
    near = get_close_matches(name.lower(), names, n=1)
    hint = f"Did you mean: bulkup {near[0]}" if near else "All commands: bulkup --help"
    return UsageError(f"there is no command {name}", hint=hint)

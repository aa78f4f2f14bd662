"""Where `bulkup serve` listens, and what it allows."""

from __future__ import annotations

from dataclasses import dataclass

from bulkup.settings import parsing as kinds
from bulkup.settings.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServeOptions:
    """The server's address, what it trusts, and its limits."""

    # Others on the network see nothing until somebody decides that they may.
    host: str = setting(
        "serve.host", kinds.TEXT, "The address to listen at.", default="127.0.0.1", flag=True
    )
    port: int = setting("serve.port", kinds.PORT, "The port to listen at.", default=8765)
    # Anybody can make a name of their own lead to this address, and send browsers there.
    hosts: tuple[str, ...] = setting(
        "serve.hosts",
        kinds.TEXTS,
        "Names under which browsers reach the server, beside its address and this machine's name.",
        flag=False,
        default=[],
        example=["photos.example.org"],
    )
    root_path: str | None = setting(
        "serve.root_path",
        kinds.TEXT,
        "The path below which a reverse proxy shows the server.",
        example="/photos",
    )
    proxies: tuple[str, ...] = setting(
        "serve.proxies",
        kinds.TEXTS,
        "Addresses of reverse proxies whose X-Forwarded-For and -Proto are believed.",
        flag=False,
        default=[],
        example=["127.0.0.1"],
    )
    watch: tuple[str, ...] = setting(
        "serve.watch",
        kinds.FOLDERS,
        "Folders that a server with --work watches: new and changed files in them are pushed.",
        flag=False,
        default=[],
        example=["~/photos"],
    )
    burst: int = setting(
        "serve.burst",
        kinds.COUNT,
        "Requests that change something which a token may make at once.",
        flag=False,
        default=100,
    )
    per_minute: float = setting(
        "serve.per_minute",
        kinds.NUMBER,
        "How many of these requests a token may make each minute after that.",
        flag=False,
        default=10,
    )

"""bulkup token: who may use bulkup serve."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bulkup.cli.shared_options import Flags
from bulkup.clock import iso_time
from bulkup.errors import UsageError

if TYPE_CHECKING:
    from bulkup.manifest.server import ServerManifest
    from bulkup.manifest.tokens import TokenRow

EXAMPLE = """\b
Example: bulkup token add lisa-phone --role uploader --expires 30d
Example: bulkup token list
Example: bulkup token revoke lisa-phone"""


RoleOption = Annotated[
    Literal["viewer", "uploader", "operator"] | None,
    typer.Option(
        help="viewer sees pictures and progress, uploader also uploads, operator also "
        "retries and starts work; default viewer."
    ),
]


def run(
    flags: Flags,
    action: Annotated[
        Literal["list", "add", "revoke"],
        typer.Argument(metavar="list|add|revoke", help="What to do."),
    ] = "list",
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The token's name.")] = None,
    role: RoleOption = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="Valid for this long, for example 30d.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Add, list or revoke tokens for bulkup serve. A new token is shown once."""
    from bulkup.manifest.server import ServerManifest, ServerReader
    from bulkup.serve.tokens import revoke_token

    settings = flags.settings()
    if action != "add" and (role or expires):
        raise UsageError("only add takes --role and --expires")
    if action == "list" and name is None:
        with ServerReader(settings.manifest) as reader:
            _print(reader.tokens.all(now=time.time()), json=json)
        return
    if action == "list" or name is None:
        raise UsageError(
            "list takes no name, add and revoke take one",
            hint="For example: bulkup token add lisa-phone --role uploader",
        )
    with ServerManifest(settings.manifest) as manifest:
        if action == "add":
            _add(manifest, name, role or "viewer", expires, json=json, quiet=settings.quiet)
            return
        revoke_token(manifest.tokens, name)
        if not settings.quiet:
            typer.echo(f"Revoked {name}")


def _add(
    manifest: ServerManifest, name: str, role: str, expires: str | None, *, json: bool, quiet: bool
) -> None:
    from bulkup.serve.tokens import Role, add_token

    seconds = None if expires is None else _seconds(expires)
    token = add_token(manifest.tokens, name, Role(role), now=time.time(), expires_seconds=seconds)
    if json:
        from json import dumps

        typer.echo(dumps({"name": name, "role": role, "token": token}))
        return
    typer.echo(token)
    if not quiet:
        typer.echo("It is shown only now. Programs send it as: Authorization: Bearer …", err=True)


def _seconds(text: str) -> float:
    from bulkup.settings.units import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise UsageError(f"--expires {text}: expected a duration such as 30d or 12h")
    return seconds


def _print(tokens: Sequence[TokenRow], *, json: bool) -> None:
    if json:
        from bulkup.cli.output.rows import print_json

        print_json(
            {
                "name": one.name,
                "role": one.role,
                "browser": one.is_browser,
                "created_at": iso_time(one.created_at),
                "expires_at": None if one.expires_at is None else iso_time(one.expires_at),
            }
            for one in tokens
        )
        return
    if not tokens:
        typer.echo("There are no tokens.")
        return
    from bulkup.cli.output.table import Column, print_table

    rows = [
        [
            one.name,
            one.role,
            iso_time(one.created_at)[:10],
            "never" if one.expires_at is None else iso_time(one.expires_at)[:10],
        ]
        for one in tokens
    ]
    titles = ("Name", "Role", "Created", "Expires")
    print_table([Column(title) for title in titles], rows, sys.stdout, os.environ)

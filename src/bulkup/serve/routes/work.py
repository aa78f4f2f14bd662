"""POST /work/process and /work/embed: what cron would start."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from bulkup.serve.access import Endpoint, route
from bulkup.serve.context import context_of
from bulkup.serve.documents import Document
from bulkup.serve.routes.parameters import optional_number_in
from bulkup.serve.tokens import Role


def _work(command: str) -> Endpoint:
    async def work(request: Request) -> Response:
        """Start the run: 202 {"run"}, the id under which /stats lists it."""
        limit = optional_number_in(request, "limit", most=1_000_000)
        arguments = [] if limit is None else [f"--limit={limit}"]
        run_id = await context_of(request).child_runs.start(command, arguments)
        return Document({"run": run_id}, 202)

    return work


ROUTES = tuple(
    route(f"/work/{command}", _work(command), role=Role.OPERATOR, methods=["POST"], cost=1)
    for command in ("process", "embed")
)

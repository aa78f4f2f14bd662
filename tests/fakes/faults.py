"""What can go wrong with a request to the fake S3 server."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from tests.fakes.http1 import Answer, Request
from tests.fakes.s3_objects import error

CODES = {
    400: "BadRequest",
    403: "AccessDenied",
    404: "NoSuchBucket",
    409: "ConditionalRequestConflict",
    412: "PreconditionFailed",
    429: "TooManyRequests",
    500: "InternalError",
    503: "SlowDown",
}

REQUEST_ID = "FAULT0123456789"
"""What a refusal says its request was called."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong with the requests that match `op`, `path` and `access_key`.

    The first `after` matching requests pass, the next `times` (None: all others) are struck. Of
    several faults the first that strikes a request has it alone, so a list of faults with times=1
    is a script. What striking does:
    `refuse` answers `status` and `code` once the body is read (with `early`: before, and closes);
    `reset` drops the connection after part of the body; `lose` does the work and then drops it;
    `lie` answers 200 and stores nothing; `hold` answers only after FakeS3.release();
    `delay` continues after `delay_seconds`.
    """

    op: str = "*"
    path: str = "*"  # glob over /bucket/key
    access_key: str | None = None
    after: int = 0
    times: int | None = 1
    does: Literal["refuse", "reset", "lose", "lie", "hold", "delay"] = "refuse"
    status: int = 500
    code: str | None = None  # None: S3's usual code for the status
    retry_after_seconds: float | None = None
    date: str | None = None  # of the answer, by the server's clock
    early: bool = False
    delay_seconds: float = 0.0

    def matches(self, op: str, request: Request) -> bool:
        """Whether the request is of the kind that this fault counts."""
        signed_by = f"Credential={self.access_key}/"
        return (
            fnmatchcase(op, self.op)
            and fnmatchcase(request.path, self.path)
            and (self.access_key is None or signed_by in request.headers.get("authorization", ""))
        )

    def answer(self) -> Answer:
        """What `refuse` sends."""
        found = error(self.status, self.code or CODES.get(self.status, "InternalError"))
        found.headers["x-amz-request-id"] = REQUEST_ID
        if self.retry_after_seconds is not None:
            found.headers["retry-after"] = f"{self.retry_after_seconds:g}"
        if self.date is not None:
            found.headers["date"] = self.date
        return found

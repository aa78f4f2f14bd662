"""What the refusal of an S3 endpoint means, in bulkup's error tree. Decided here only.

Codes: "Error Responses", Amazon S3 API Reference; Ceph's and MinIO's own additions are marked.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from bulkup import errors
from bulkup.http_statuses import PASSING_STATUSES
from bulkup.redaction import foreign_text
from bulkup.stores.s3.headers import PORTAL_HINT, http_moment
from bulkup.stores.s3.http1 import Response
from bulkup.stores.s3.xml import read_error

# fmt: off
_EXPIRED = frozenset((
    "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired",
))
_REFUSED_KEYS = {
    "InvalidAccessKeyId": "Check AWS_ACCESS_KEY_ID, or name another --profile: the endpoint has no "
    "such key.",
    "SignatureDoesNotMatch": "Check AWS_SECRET_ACCESS_KEY, or name another --profile.",
    "InvalidToken": "Check AWS_SESSION_TOKEN, or name another --profile.",
    **dict.fromkeys(("InvalidSecurity", "MissingSecurityHeader")),
}
_SUSPENDED = frozenset((  # Ceph's, Alibaba's and Google's among them
    "AccountProblem", "NotSignedUp", "UserSuspended", "UserDisable", "AllAccessDisabled",
    "AccountDisabled", "UserDisabled", "BillingDisabled", "ArrearageSuspended",
))
_BUSY = frozenset((  # SlowDownRead and SlowDownWrite are MinIO's
    "SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "RequestLimitExceeded",
    "TooManyRequests", "TooManyRequestsException", "Throttling", "ThrottlingException",
    "BandwidthLimitExceeded",
))
_CHANGED = frozenset((
    "XAmzContentSHA256Mismatch", "BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch",
))
_FULL = frozenset((
    "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity",
))
_REGION = frozenset((
    "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException",
    "TemporaryRedirect",
))
_ABSENT = frozenset(("NoSuchKey", "NoSuchUpload", "NoSuchVersion"))
_PASSING = frozenset((  # 4xx that a later try may not meet again
    "RequestTimeout", "IncompleteBody", "OperationAborted", "ConditionalRequestConflict",
))
# fmt: on
# Patterns are texts: `re` compiles and keeps those that a refusal asks for.
_VIRTUAL_ONLY = (  # Alibaba: SecondLevelDomainForbidden, Huawei: VirtualHostDomainRequired
    r"(?i)second.?level.?domain.?forbidden|virtual.?host(ed)?.{0,20}required"
    r"|(use|using|only) virtual.?host|virtual.?host(ed)?.{0,12} only"
    r"|path.?style.{0,60}(forbidden|not (supported|allowed)|unsupported|disabled|refused)"
)
_PATH_ONLY = (
    r"(?i)(use|using|only) path.?style|path.?style.{0,12} (only|required)"
    r"|virtual.?host(ed)?.{0,60}(forbidden|not (supported|allowed)|unsupported|disabled|refused)"
)
# Of Go's server, nginx and Apache
_HTTPS_EXPECTED = rb"(?i)HTTP request (was sent )?to (an )?HTTPS|plain HTTP to an SSL"

_PORTALS = frozenset((300, 302, 303, 305, 308, 511))
"""S3 redirects by 301 and 307 only; 511 is Network Authentication Required (RFC 6585)."""

_KEYS_HINT = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name another --profile."
PERMISSION_HINT = "The credentials lack a permission for this object."

OPTIONS = {  # option by the header that carries it, and how codes and messages name it
    "x-amz-storage-class": ("--storage-class", r"(?i)storage[ _-]?class"),
    "x-amz-tagging": ("--tag", r"(?i)x-amz-tagging|tagging|InvalidTag|\btags?\b"),
    "cache-control": ("--cache-control", r"(?i)cache[ _-]?control"),
}
_AMBIGUOUS = frozenset(("InvalidArgument", "InvalidRequest"))


class Refusal(NamedTuple):
    """A response of an endpoint that is no success.

    `subject` names what was asked for: a key or a bucket, never a URL (a URL may be signed).
    `secrets` are the values that the endpoint's text must not repeat.
    """

    response: Response
    subject: str
    now: float
    conditional: bool = False
    secrets: Collection[str] = ()
    headers: Collection[str] = ()  # of the request

    @property
    def status(self) -> int:
        return self.response.status

    def header(self, name: str) -> str | None:
        return self.response.get_header(name)

    def text(self, foreign: str | None) -> str | None:
        """A text of the endpoint as a part of a message; None for none."""
        return foreign_text(foreign, self.secrets) or None if foreign else None


def classify(refusal: Refusal) -> errors.BulkupError:
    """The error to raise for `refusal`; never raises itself."""
    code, message, named_region = map(refusal.text, read_error(refusal.response.body))
    request_id = refusal.text(refusal.header("x-amz-request-id"))
    said = f"{refusal.subject}: {code or 'HTTP'} ({refusal.status})"
    if message:
        said += f": {message}"
    destination = _run_level(refusal, code, said, named_region)
    if destination is None and 400 <= refusal.status < 500:
        destination = _wrong_style(code, message, said)
    if destination is not None:
        return destination
    option = _refused_option(refusal, code, message)
    if option is not None:
        hint = f"Correct {option}, or leave it out: no file can be stored with it."
        return errors.OptionRefused(said, code=code, hint=hint)
    return _item_level(refusal, code, said, request_id)


def _refused_option(refusal: Refusal, code: str | None, message: str | None) -> str | None:
    """The option of the user that no object can be stored with; None when that is not the cause.

    Ceph says InvalidArgument, without a message, of a storage class that it does not know.
    """
    if refusal.status not in (400, 501):
        return None
    if code == "MetadataTooLarge":
        return "--metadata"
    for header, (option, names) in OPTIONS.items():
        if header in refusal.headers and re.search(names, f"{code} {message or ''}"):
            return option
    is_nameless = code in _AMBIGUOUS and message is None
    return "--storage-class" if is_nameless and "x-amz-storage-class" in refusal.headers else None


def _run_level(
    refusal: Refusal, code: str | None, said: str, named_region: str | None
) -> errors.DestinationError | None:
    """The error when no other request can succeed either, else None."""
    region = refusal.text(refusal.header("x-amz-bucket-region")) or named_region
    if code in _EXPIRED:
        hint = "The credentials have expired: get new ones and run again."
        return errors.CredentialsExpired(said, code=code, hint=hint)
    if code in _REFUSED_KEYS or (code is None and refusal.status == 401):
        hint = _REFUSED_KEYS.get(code or "") or _KEYS_HINT
        return errors.CredentialsRefused(said, code=code, hint=hint)
    if refusal.status in _PORTALS:
        return errors.DestinationUnreachable(said, hint=PORTAL_HINT)
    if refusal.status == 407:
        hint = "The proxy wants a name and a password: http_proxy=http://NAME:PASSWORD@HOST:PORT"
        return errors.DestinationUnreachable(said, hint=hint)
    if code in _SUSPENDED or (code is None and refusal.status == 402):
        hint = "The account at the endpoint is suspended or not set up: its provider can say why."
        return errors.CredentialsRefused(said, code=code, hint=hint)
    if code is None and refusal.status == 400 and re.search(_HTTPS_EXPECTED, refusal.response.body):
        hint = "The server expects TLS at this port: use https:// in --endpoint-url."
        return errors.DestinationUnreachable(said, hint=hint)
    if code == "RequestTimeTooSkewed":
        return errors.ClockSkewed(said, code=code, hint=_skew_hint(refusal))
    if code == "NoSuchBucket":
        hint = "Create the bucket, or correct its name in --to."
        return errors.BucketMissing(said, code=code, hint=hint)
    if code in _REGION or refusal.status in (301, 307) or (refusal.status == 400 and region):
        hint = f"Use --region {region}."
        if not region:
            hint = "Name the bucket's region with --region, or the right --endpoint-url."
        return errors.WrongRegion(said, code=code, region=region, hint=hint)
    return None


def _wrong_style(
    code: str | None, message: str | None, said: str
) -> errors.DestinationError | None:
    """The error of an endpoint that takes the other addressing style only, else None."""
    text = f"{code} {message or ''}"
    if re.search(_VIRTUAL_ONLY, text):
        hint = "The bucket must be in the host name: use --addressing-style virtual."
    elif re.search(_PATH_ONLY, text):
        hint = "The bucket must be in the path: use --addressing-style path."
    else:
        return None
    return errors.DestinationError(said, code=code, hint=hint)


def _item_level(
    refusal: Refusal, code: str | None, said: str, request_id: str | None
) -> errors.StoreError | errors.SourceChanged:
    """The error for this one object or request."""
    status = refusal.status
    if code in _CHANGED:
        return errors.SourceChanged(said)
    kind: type[errors.StoreError] = errors.StoreRefused
    hint: str | None = None
    if status in PASSING_STATUSES:  # of proxies, too, which give no code
        return errors.StoreBroken(said, code=code, request_id=request_id)
    if code in _BUSY or status in (429, 503):
        return errors.StoreBusy(
            said, retry_after_seconds=retry_after_seconds(refusal), code=code, request_id=request_id
        )
    if refusal.conditional and status in (304, 501):
        kind = errors.ConditionalWritesUnsupported
    elif code in _FULL or status == 507:
        kind, hint = errors.StoreFull, "Make room at the destination, or raise its quota."
    elif code in _PASSING or (status >= 500 and status != 501) or _is_conflict(refusal, code):
        kind = errors.StoreBroken
    elif code == "InvalidObjectState":
        kind = errors.ObjectArchived
    elif code in _ABSENT or (status == 404 and code is None):
        kind = errors.ObjectMissing
    elif status in (409, 412) or code == "PreconditionFailed":
        kind = errors.KeyTaken
    elif status in (405, 411, 501):
        kind, hint = errors.RequestUnsupported, _options_hint(refusal)
    elif status in (401, 402, 403, 451):
        kind, hint = errors.StoreForbidden, _forbidden_hint(refusal, code)
    return kind(said, hint=hint, code=code, request_id=request_id)


def _options_hint(refusal: Refusal) -> str | None:
    """The options that the endpoint may not support; None where none was given."""
    given = [option for header, (option, _) in OPTIONS.items() if header in refusal.headers]
    return f"Perhaps it does not support {' or '.join(given)}: leave it out." if given else None


def _forbidden_hint(refusal: Refusal, code: str | None) -> str | None:
    """How to fix a 401 or 403; None where only the endpoint's own text can say it."""
    if code == "AccessDenied" or (code is None and not refusal.response.body):
        return PERMISSION_HINT
    if code is None:
        return "This is no answer of S3: check --endpoint-url, and proxies and firewalls before it."
    return None


def _is_conflict(refusal: Refusal, code: str | None) -> bool:
    """Whether two writers met ("Conditional writes", Amazon S3 User Guide: 409, or 404 after a
    delete). Others than AWS say by a 409 that the key is taken."""
    if refusal.status == 409:
        return not (code or "").endswith("AlreadyExists")
    return refusal.conditional and refusal.status == 404 and code in (None, "NoSuchKey")


def retry_after_seconds(refusal: Refusal) -> float | None:
    """How many seconds the endpoint asks to wait, 0 or more; None when it does not say.

    Retry-After is seconds or an HTTP date (RFC 9110 §10.2.3), x-amz-retry-after milliseconds
    (botocore/retries/standard.py), X-RateLimit-Reset a count of seconds or a moment in seconds
    since 1970.
    """
    wait = _number(refusal.header("retry-after"))
    if wait is None and (moment := http_moment(refusal.header("retry-after"))) is not None:
        wait = moment - refusal.now
    if wait is None and (wait := _number(refusal.header("x-amz-retry-after"))) is not None:
        wait /= 1000
    if wait is None and (wait := _number(refusal.header("x-ratelimit-reset"))) is not None:
        wait = wait - refusal.now if wait > 1_000_000_000 else wait
    return None if wait is None else max(0.0, wait)


def _number(text: str | None) -> float | None:
    """The non-negative finite number that `text` is, else None."""
    try:
        number = float(text) if text else -1.0
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _skew_hint(refusal: Refusal) -> str:
    """How wrong this machine's clock is, by the response's Date header."""
    theirs = http_moment(refusal.header("date"))
    if theirs is None:
        return "Set this machine's clock."
    ahead = refusal.now - theirs
    word = "ahead of" if ahead > 0 else "behind"
    return f"Set this machine's clock: it is {abs(ahead):.0f} s {word} the endpoint's."

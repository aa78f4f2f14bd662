"""The numbers of all pushes of a watch together."""

from __future__ import annotations

from dataclasses import replace

from bulkup.events import Summary

_ADDED = (
    *("new", "changed", "gone", "sent", "sent_bytes", "adopted", "duplicates", "duplicate_bytes"),
    *("copied", "throttled", "processed", "embedded", "passed_over"),
)


def added(total: Summary | None, last: Summary) -> Summary:
    """What was done is added up; what there is and what is left is as the last push left it."""
    if total is None:
        return last
    return replace(last, **{name: getattr(total, name) + getattr(last, name) for name in _ADDED})

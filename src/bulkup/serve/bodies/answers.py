"""Answers of the manifest that hold until it changes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Answers(Generic[T]):
    """At most `most` answers by name, those of one version of the manifest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._version = 0
        self._answers: OrderedDict[str, T] = OrderedDict()

    def get(self, name: str, version: int) -> T | None:
        """The answer; None when there is none of this version."""
        if version != self._version:
            self._answers.clear()
            self._version = version
        return self._answers.get(name)

    def put(self, name: str, version: int, answer: T) -> None:
        """Keep an answer that was read at this version."""
        if version == self._version:
            self._answers[name] = answer
            if len(self._answers) > self._most:
                self._answers.popitem(last=False)

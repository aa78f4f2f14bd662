"""What changes below a folder, as the system tells it, by watchfiles.

Events are a hint: they may be late, doubled or lost, and network mounts send none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

_STEP_MS: Final = 50
_GROUP_MS: Final = 500
_TIMEOUT_MS: Final = 200

OnChange = Callable[[frozenset[str]], None]
"""Gets absolute paths of files and folders that came, changed or went."""


class FolderEvents:
    """Watches a folder and all below it in a thread of its own."""

    def __init__(self, root: str, on_change: OnChange) -> None:
        """`on_change` is called from the thread."""
        self._root = root
        self._on_change = on_change
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {root}", daemon=True)
        self.error: OSError | None = None  # why there are no events (any more)

    def start(self) -> None:
        """Return once changes are noticed, or `error` is set. One system call for each folder."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """End soon. Safe to call twice."""
        self._stop.set()

    def _run(self) -> None:
        from watchfiles import watch

        try:
            for changes in watch(
                self._root,
                watch_filter=None,
                debounce=_GROUP_MS,
                step=_STEP_MS,
                rust_timeout=_TIMEOUT_MS,
                yield_on_timeout=True,
                stop_event=self._stop,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                self._ready.set()
                if changes:
                    self._on_change(frozenset(path for _, path in changes))
        except OSError as error:  # no such folder; too many folders for the system
            self.error = error
        finally:
            self._ready.set()

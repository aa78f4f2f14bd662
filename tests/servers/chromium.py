"""A headless Chromium, driven through chromedriver by the WebDriver protocol (W3C, level 2).

    python -m tests.servers.chromium install

It may reach nothing but this machine: every name resolves to nothing, and it has no proxy.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import packages
from tests.servers.process import ServerFailed, free_port, tail, wait_until

NEEDED = {"chromium": "chromium", "chromedriver": "chromium-driver"}
START_SECONDS = 30
ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # which root cannot have
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

# WebDriver level 2, 17.4.2: keys that type nothing.
ARROWS = {"left": "\ue012", "up": "\ue013", "right": "\ue014", "down": "\ue015"}
ENTER, ESCAPE, HOME, END = "\ue007", "\ue00c", "\ue011", "\ue010"


@dataclass(frozen=True, slots=True)
class Browser:
    """One window. Raises ServerFailed when the browser refuses."""

    session: str  # its URL at the driver

    def open(self, page: Path | str) -> None:
        """Show a file or URL, and wait until it is loaded."""
        self._post("/url", url=page if isinstance(page, str) else page.as_uri())

    def press(self, *keys: str) -> None:
        """Press and release each key, as the keyboard would."""
        steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._post("/actions", actions=[{"type": "key", "id": "keyboard", "actions": steps}])

    def ask(self, script: str) -> Any:
        """What the script returns; runs in the page although its policy forbids scripts."""
        return self._post("/execute/sync", script=script, args=[])

    def command(self, name: str, /, **parameters: Any) -> Any:
        """A command of the Chrome DevTools protocol."""
        return self._post("/goog/cdp/execute", cmd=name, params=parameters)

    def resize(self, width: int, height: int) -> None:
        self._post("/window/rect", width=width, height=height)

    def screenshot(self) -> bytes:
        """What the window shows, as PNG."""
        answer = _send("GET", f"{self.session}/screenshot")
        return base64.b64decode(answer)

    def requested(self) -> list[str]:
        """URLs that were asked for since the last call, whether or not the policy stopped them."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """What the console said since the last call: errors and breaches of the policy."""
        return [entry["message"] for entry in self._log("browser")]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._post("/se/log", type=kind)
        return found

    def _post(self, path: str, **body: Any) -> Any:
        return _send("POST", self.session + path, body)


@contextmanager
def running() -> Iterator[Browser]:
    """A browser with an empty profile until the end of the `with` block.

    Raises PackagesMissing when it is not installed, ServerFailed when it does not start.
    """
    chromium, driver = packages.program("chromium"), packages.program("chromedriver")
    with tempfile.TemporaryDirectory(prefix="bulkup-chromium-", ignore_cleanup_errors=True) as name:
        log, port = Path(name) / "log", free_port()
        argv = [driver, f"--port={port}", f"--log-path={log}"]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet) as process:
            url = f"http://127.0.0.1:{port}"
            try:
                wait_until(lambda: _is_ready(url), timeout_seconds=START_SECONDS,
                           what=f"chromedriver did not answer; {log}")  # fmt: skip
                browser = _open(url, chromium, Path(name) / "profile", log)
                yield browser
                _send("DELETE", browser.session)
            finally:
                with suppress(OSError, ServerFailed):  # ends the browser, too
                    _send("GET", f"{url}/shutdown")
                process.terminate()


def _open(url: str, chromium: str, profile: Path, log: Path) -> Browser:
    wanted = {
        "browserName": "chrome",
        "goog:chromeOptions": {
            "binary": chromium,
            "args": [*ARGUMENTS, f"--user-data-dir={profile}"],
        },
        "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
    }
    try:
        made = _send("POST", f"{url}/session", {"capabilities": {"alwaysMatch": wanted}})
    except ServerFailed as exc:
        raise ServerFailed(f"{exc}\n{tail(log)}") from exc
    return Browser(f"{url}/session/{made['sessionId']}")


def _is_ready(url: str) -> bool:
    try:
        return bool(_send("GET", f"{url}/status")["ready"])
    except OSError:
        return False


def _send(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as exc:
        with exc:
            raise ServerFailed(exc.read().decode(errors="replace")[:2000]) from exc


if __name__ == "__main__":
    sys.exit(packages.install_command("tests.servers.chromium", NEEDED))

"""A headless Chromium through chromedriver's W3C WebDriver protocol: plain HTTP, no client library."""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMEDRIVER = shutil.which("chromedriver")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One window on one page, opened from disk."""

    def __init__(self, width: int = 1360, height: int = 900, dark: bool = False) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.server = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [CHROMEDRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            f"--window-size={width},{height}",
        ]
        arguments += ["--force-dark-mode"] if dark else []
        options = {
            "binary": CHROMIUM,
            "args": arguments,
            "mobileEmulation": {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1.5}}
            if width < 500
            else {},
        }
        capabilities = {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {name: value for name, value in options.items() if value},
        }
        for attempt in range(100):
            try:
                made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
                break
            except urllib.error.URLError as error:
                if isinstance(error, urllib.error.HTTPError) or attempt == 99:
                    raise
                time.sleep(0.1)
        self.session = f"/session/{made['sessionId']}"

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def open(self, page: Path, hash_: str = "") -> None:
        """Open a page from disk and wait until it shows what its address names."""
        self._call("POST", f"{self.session}/url", {"url": page.resolve().as_uri() + hash_})
        self.wait("return document.documentElement.dataset.ready !== undefined")

    def go(self, hash_: str) -> None:
        """Follow a permalink."""
        self.run("location.hash = arguments[0]", hash_)
        self.wait("return document.documentElement.dataset.ready === arguments[0]", hash_)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script returns in the page."""
        return self._call("POST", f"{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str, *arguments: Any, seconds: float = 30) -> Any:
        """The value of a script once it is true."""
        end = time.monotonic() + seconds
        while not (value := self.run(script, *arguments)):
            assert time.monotonic() < end, f"still not so after {seconds} s: {script} {self.log()}"
            time.sleep(0.05)
        return value

    def type(self, selector: str, text: str) -> None:
        """Real key strokes into the element that a selector finds."""
        found = self._call("POST", f"{self.session}/element", {"using": "css selector", "value": selector})[ELEMENT]
        self._call("POST", f"{self.session}/element/{found}/value", {"text": text})

    def click(self, selector: str) -> None:
        """A real click."""
        found = self._call("POST", f"{self.session}/element", {"using": "css selector", "value": selector})[ELEMENT]
        self._call("POST", f"{self.session}/element/{found}/click", {})

    def log(self, kind: str = "browser") -> list[dict[str, Any]]:
        """Entries of the console, or of the performance log, since the last call."""
        return self._call("POST", f"{self.session}/se/log", {"type": kind})

    def screenshot(self, path: Path) -> None:
        """The window as a PNG."""
        path.write_bytes(base64.b64decode(self._call("GET", f"{self.session}/screenshot")))

    def close(self) -> None:
        """End browser and driver."""
        try:
            self._call("DELETE", self.session)
        finally:
            self.process.terminate()
            self.process.wait(20)

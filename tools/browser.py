"""A headless Chromium spoken to over a pipe (the DevTools protocol): pages are opened, used by keys, and pictured."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

FLAGS = ("--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--remote-debugging-pipe")
KEYS = {"Enter": ("Enter", 13, "\r"), "Tab": ("Tab", 9, None)}

Json = dict[str, Any]


@dataclass
class Page:
    """One tab. `problems`: errors and refusals that its console told. `asked`: the addresses that it fetched."""

    to: BinaryIO
    answers: BinaryIO
    session: str | None = None
    last: int = 0
    problems: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> Json:
        """One command of the protocol and its result; what happens meanwhile is noted."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        self.to.write(json.dumps(message | ({"sessionId": self.session} if self.session else {})).encode() + b"\0")
        self.to.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self._note(answer.get("method", ""), answer.get("params", {}))

    def _next(self) -> Json:
        read = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("the browser has ended")
            read += byte
        return dict(json.loads(read))

    def _note(self, method: str, parameters: Json) -> None:
        if method == "Runtime.exceptionThrown":
            self.problems.append(str(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.problems.append(parameters["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.asked.append(parameters["request"]["url"])

    def open(self, url: str) -> None:
        """Open an address and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until a condition holds; it is asked whenever the document has changed."""
        self.run(
            f"""new Promise((done) => {{
                const look = () => {{ if ({condition}) {{ watch.disconnect(); done(true); }} }};
                const watch = new MutationObserver(look);
                watch.observe(document, {{subtree: true, childList: true, attributes: true, characterData: true}});
                window.addEventListener("load", look);
                look();
            }})"""
        )

    def press(self, *keys: str) -> None:
        """Press keys one after the other: Tab, Enter, or a character."""
        for key in keys:
            name, code, text = KEYS.get(key, (key, ord(key[0]), key))
            pressed = {"key": name, "windowsVirtualKeyCode": code, **({"text": text} if text else {})}
            self.call("Input.dispatchKeyEvent", type="keyDown", **pressed)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=code)

    def resize(self, width: int, height: int = 900, *, dark: bool = False, scale: float = 1) -> None:
        """Show the page at this size in CSS pixels, by day or by night."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, target: Path) -> None:
        """A picture of what is seen, as PNG."""
        target.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(program: str, folder: Path) -> Iterator[Page]:
    """A page of a browser of its own, which ends with the block. `folder`: for the browser's profile."""
    (commands_in, commands_out), (answers_in, answers_out) = os.pipe(), os.pipe()
    call = [program, *FLAGS, f"--user-data-dir={folder / 'browser'}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]

    def take_places() -> None:
        """The browser reads commands from 3 and answers on 4."""
        first, second = os.dup(commands_in), os.dup(answers_out)
        os.dup2(first, 3)
        os.dup2(second, 4)

    process = subprocess.Popen(  # noqa: S603 - a program of this machine
        call, preexec_fn=take_places, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(commands_in)
    os.close(answers_out)
    with os.fdopen(commands_out, "wb") as to, os.fdopen(answers_in, "rb") as answers:
        page = Page(to, answers)
        try:
            target = page.call("Target.createTarget", url="about:blank")["targetId"]
            page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                page.call(f"{domain}.enable")
            yield page
        finally:
            process.kill()
            process.wait()

"""A real Chromium over its DevTools protocol: enough of it to use a page as a person does."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.until import until

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
QUIET = ("--disable-background-networking", "--disable-component-update", "--no-proxy-server", "--lang=en-US")
KEYS = {"Enter": 13, "Escape": 27, "Tab": 9}
ANSWER_S = 20.0


def program() -> str | None:
    """The browser that is installed, or None."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class PageFailed(AssertionError):
    """The page threw, or the browser refused a command."""


class Page:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.console: list[str] = []
        """Errors and warnings of the page, policy violations too."""

    async def listen(self) -> None:
        """Sort what the browser says, until the connection ends."""
        async for raw in self._connection:
            message = json.loads(raw)
            if message.get("id") in self._answers:
                self._answers.pop(message["id"]).set_result(message)
            elif message.get("method") == "Log.entryAdded":
                self.console.append(message["params"]["entry"]["text"])
            elif message.get("method") == "Runtime.exceptionThrown":
                self.console.append(json.dumps(message["params"]["exceptionDetails"]))

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a DevTools command."""
        number = next(self._ids)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        async with asyncio.timeout(ANSWER_S):
            answer = await self._answers[number]
        if "error" in answer:
            raise PageFailed(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, url: str) -> None:
        """Go to `url` and wait until it is loaded."""
        await self.command("Page.navigate", url=url)
        await until(self._is_new)

    async def reload(self) -> None:
        """Load the page again and wait until the new one is there."""
        await self.value("void (window.isOld = true)")
        await self.command("Page.reload")
        await until(self._is_new)

    async def _is_new(self) -> bool:
        try:
            return bool(await self.value("!window.isOld && document.readyState === 'complete'"))
        except PageFailed:
            return False  # between two pages there is nothing to ask

    async def value(self, expression: str) -> Any:
        """What `expression` is in the page, as JSON; a promise is awaited."""
        result = await self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise PageFailed(json.dumps(result["exceptionDetails"]))
        return result["result"].get("value")

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self.command("Input.insertText", text=text)

    async def press(self, key: str, modifiers: int = 0) -> None:
        """Press and release a named key (8 is Shift)."""
        what = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": modifiers}
        text = {"text": "\r"} if key == "Enter" else {}
        await self.command("Input.dispatchKeyEvent", type="keyDown", **what, **text)
        await self.command("Input.dispatchKeyEvent", type="keyUp", **what)

    async def resize(self, width: int, height: int, *, is_phone: bool = False, is_dark: bool = False) -> None:
        """The size in CSS pixels and the look that the person prefers."""
        scale = 2 if is_phone else 1
        await self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=is_phone
        )
        await self.command("Emulation.setTouchEmulationEnabled", enabled=is_phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        await self.command("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self, path: Path) -> None:
        """Save what is on the screen as PNG."""
        shot = await self.command("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


class Chrome:
    """A running browser."""

    def __init__(self, address: str) -> None:
        self._address = address

    @asynccontextmanager
    async def page(self) -> AsyncIterator[Page]:
        """A new tab in a profile of its own: no storage in common with other pages."""
        async with self._attached(self._address) as browser:
            context = (await browser.command("Target.createBrowserContext"))["browserContextId"]
            async with self.tab(context) as page:
                yield page
            await browser.command("Target.disposeBrowserContext", browserContextId=context)

    @asynccontextmanager
    async def tab(self, context: str | None = None) -> AsyncIterator[Page]:
        """A new tab; tabs without a context share their storage."""
        async with self._attached(self._address) as browser:
            where = {"browserContextId": context} if context else {}
            target = (await browser.command("Target.createTarget", url="about:blank", **where))["targetId"]
            base = self._address.partition("/devtools/")[0]
            async with self._attached(f"{base}/devtools/page/{target}") as page:
                for domain in ("Page", "Runtime", "Log"):
                    await page.command(f"{domain}.enable")
                yield page
            await browser.command("Target.closeTarget", targetId=target)

    @asynccontextmanager
    async def _attached(self, url: str) -> AsyncIterator[Page]:
        async with connect(url, max_size=None, proxy=None) as connection:
            page = Page(connection)
            listening = asyncio.create_task(page.listen())
            try:
                yield page
            finally:
                listening.cancel()


@asynccontextmanager
async def chrome(home: Path) -> AsyncIterator[Chrome]:
    """Start the installed browser with its files under `home`; stop it at the end.

    Raises:
        FileNotFoundError: none is installed; ask `program` first.
    """
    path = program()
    if path is None:
        raise FileNotFoundError("no Chromium")
    silence = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *(path, *FLAGS, *QUIET, f"--user-data-dir={home}", "about:blank"),
        stdin=silence,
        stdout=silence,
        stderr=silence,
        start_new_session=True,
    )
    try:
        yield Chrome(await until(lambda: _address(home), bound_s=ANSWER_S, saying="the browser does not listen"))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its children too: it is a group of its own
        await process.wait()


def _address(home: Path) -> str | None:
    """Where the browser listens, once it has written that down."""
    try:
        port, path = (home / "DevToolsActivePort").read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return f"ws://127.0.0.1:{port}{path}"

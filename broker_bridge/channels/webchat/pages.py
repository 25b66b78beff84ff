"""The chat's page and its embeddable widget, read once from the package and served with a strict policy.

The law: no inline script or style, nothing from another host, and what we serve can be framed only by listed sites.
"""

import hashlib
import html
import re
from importlib.resources import files
from string import Template

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from broker_bridge.channels.webchat.frames import MAX_TEXT_CHARS
from broker_bridge.channels.webchat.settings import ChatSettings

_HOST = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:_\[\]-]{1,255}")
_PARTS = ("words.js", "wire.js", "thread.js", "uploads.js", "widget.js")


class Pages:
    """GET /chat and GET /chat/widget.js."""

    def __init__(self, settings: ChatSettings) -> None:
        """
        Raises:
            ValueError: an origin on the list is not `scheme://host[:port]`.
        """
        for origin in settings.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"webchat origin {origin!r} is not of the form https://shop.example")
        self._ancestors = " ".join(("'self'", *settings.origins))
        page = Template(_read("page.html"))
        script = html.escape(f"{settings.path.rpartition('/')[2]}/widget.js")
        self._page = page.substitute(title=html.escape(settings.title), script=script).encode()
        self._widget = _bundle(settings).encode()
        self._tag = f'"{hashlib.sha256(self._widget).hexdigest()[:24]}"'

    async def page(self, request: Request) -> Response:
        """The full page."""
        host = request.headers.get("host", "")
        sockets = f"ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
        response = Response(self._page, media_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
            f"connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; frame-ancestors {self._ancestors}"
        )
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    async def widget(self, request: Request) -> Response:
        """The script: embedded by `<script src=".../chat/widget.js" defer></script>`."""
        if request.headers.get("if-none-match") == self._tag:
            return Response(status_code=304, headers={"ETag": self._tag, "Cache-Control": "no-cache"})
        response = Response(self._widget, media_type="text/javascript; charset=utf-8")
        response.headers["ETag"] = self._tag
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response


def _bundle(settings: ChatSettings) -> str:
    """The parts in one function scope. The style travels as a string: a constructed sheet needs no style-src."""
    site = {
        "title": settings.title,
        "greeting": settings.greeting,
        "accent": settings.accent,
        "maxText": MAX_TEXT_CHARS,
        "maxFile": settings.upload_max_bytes,
        "types": list(settings.upload_types),
    }
    constants = f"const SITE = {_json(site)};\nconst CSS = {_json(_read('widget.css'))};\n"
    return '"use strict";\n(() => {\n' + constants + "\n".join(_read(part) for part in _PARTS) + "\n})();\n"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode().replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")

"""Files of visitors over HTTP: POST one with a one-time token, GET one of one's own conversation.

The law: a body is read chunk by chunk and refused, with the limit named, at the first byte over it; the kind is on the
allow-list and pictures really begin as such; what is fetched is never shown as a page of ours.
"""

import asyncio
import re
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from broker_bridge.channels.webchat.desk import Full, StoredFile, Unavailable
from broker_bridge.channels.webchat.frames import FileLink, Refused, clean_file_name
from broker_bridge.channels.webchat.house import House
from broker_bridge.channels.webchat.sessions import origin_allowed

_DIGEST = re.compile(r"[A-Za-z0-9_=-]{16,128}")
_SHOWN_TYPES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_BEGINNINGS = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    "application/pdf": (b"%PDF-",),
}
_OUR_WORD_TYPES = {"txt": "text/plain", "csv": "text/csv", "pdf": "application/pdf"}


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an upload: the receipt goes back over the socket to send the file."""

    receipt: str
    file: FileLink


class _Turned(Exception):
    """An upload or a fetch that is refused."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(code)
        self.status = status
        self.refused = Refused(code=code, reason=reason)


class Files:
    """The two HTTP ends for files."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._under_way = 0

    async def upload(self, request: Request) -> Response:
        """POST with headers X-Upload-Token and X-File-Name (percent-encoded), the bytes as the body."""
        if request.method == "OPTIONS":
            return self._dress(request, Response(status_code=204))
        try:
            session = self._admit(request)
            stored = await self._receive(request)
        except _Turned as turned:
            return self._json(request, turned.refused, turned.status)
        receipt = self._house.passes.receipt(session, stored)
        return self._json(request, Uploaded(receipt=receipt, file=stored.link()), 200)

    async def fetch(self, request: Request) -> Response:
        """GET a file by digest with `Authorization: Bearer <session token>`; pictures as such, all else to save."""
        if request.method == "OPTIONS":
            return self._dress(request, Response(status_code=204))
        session = self._house.signer.session_of(request.headers.get("authorization", "").removeprefix("Bearer "))
        digest = request.path_params["digest"]
        if session is None or not _DIGEST.fullmatch(digest):
            return self._json(request, Refused(code="file", reason="This file is not in your chat."), 404)
        try:
            async with asyncio.timeout(self._house.settings.desk_timeout_s):
                found = await self._house.desk.load_file(session, digest)
        except (Unavailable, TimeoutError):
            refused = Refused(code="unavailable", reason="The file cannot be fetched at the moment.", retry_after_s=3.0)
            return self._json(request, refused, 503)
        if found is None:
            return self._json(request, Refused(code="file", reason="This file is not in your chat."), 404)
        data, name, media_type = found
        shown = media_type if media_type in _SHOWN_TYPES else "application/octet-stream"
        response = Response(data, media_type=shown)
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(clean_file_name(name))}"
        response.headers["Cache-Control"] = "private, max-age=3600"
        return self._dress(request, response)

    def _admit(self, request: Request) -> str:
        settings = self._house.settings
        if not origin_allowed(request.headers.get("origin"), request.headers.get("host"), settings.origins):
            raise _Turned(403, "origin", "This site may not send files here.")
        if self._under_way >= settings.uploads_at_once:
            raise _Turned(503, "busy", "Too many files are on their way. Try again in a moment.")
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > settings.upload_max_bytes:
            raise self._too_large()
        if _media_type(request) not in settings.upload_types:
            raise _Turned(415, "type", "Files of this kind cannot be sent here.")
        session = self._house.passes.use(request.headers.get("x-upload-token", ""))
        if session is None:
            raise _Turned(403, "token", "This upload was not announced, or its time is over. Choose the file again.")
        return session

    async def _receive(self, request: Request) -> StoredFile:
        self._under_way += 1
        try:
            async with asyncio.timeout(self._house.settings.upload_timeout_s):
                data = await self._body(request)
                media_type = _media_type(request)
                if not _begins_as(data, media_type):
                    raise _Turned(415, "type", "The file is not what its name says.")
                name = clean_file_name(unquote(request.headers.get("x-file-name", "")))
                return await self._house.desk.store_file(data, name, media_type)
        except TimeoutError:
            raise _Turned(408, "slow", "The upload took too long. Try again.") from None
        except (Full, Unavailable):
            raise _Turned(503, "unavailable", "The file cannot be stored at the moment. Try again.") from None
        except ClientDisconnect:
            raise _Turned(400, "gone", "The upload was broken off.") from None
        finally:
            self._under_way -= 1

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._house.settings.upload_max_bytes:
                raise self._too_large()
        if not body:
            raise _Turned(400, "empty", "The file is empty.")
        return bytes(body)

    def _too_large(self) -> _Turned:
        limit = self._house.settings.upload_max_bytes
        words = f"{limit / 1024 / 1024:g} MiB" if limit >= 1024 * 1024 else f"{limit / 1024:g} KiB"
        return _Turned(413, "too_large", f"A file may have {words} at most.")

    def _json(self, request: Request, answer: Uploaded | Refused, status: int) -> Response:
        body = msgspec.json.encode(answer)
        response = Response(body, status_code=status, media_type="application/json")
        if status == 413:
            response.headers["Connection"] = "close"  # the rest of the body is not read
        return self._dress(request, response)

    def _dress(self, request: Request, response: Response) -> Response:
        """The headers of every answer: embedding sites on the list may read it, nobody may run it."""
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response.headers["Vary"] = "Origin"
        response.headers.setdefault("Cache-Control", "no-store")
        origin = request.headers.get("origin")
        if origin_allowed(origin, request.headers.get("host"), self._house.settings.origins):
            response.headers["Access-Control-Allow-Origin"] = origin or ""
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = (
                "authorization, content-type, x-upload-token, x-file-name"
            )
            response.headers["Access-Control-Max-Age"] = "600"
        return response


def _media_type(request: Request) -> str:
    """The declared kind; browsers that know none send nothing, then the ending decides for three plain kinds."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared and declared != "application/octet-stream":
        return declared
    ending = unquote(request.headers.get("x-file-name", "")).rpartition(".")[2].lower()
    return _OUR_WORD_TYPES.get(ending, "application/octet-stream")


def _begins_as(data: bytes, media_type: str) -> bool:
    return media_type not in _BEGINNINGS or data.startswith(_BEGINNINGS[media_type])

"""The words on the web chat's socket: one JSON object a frame, tagged by `t`, with the version in `v`.

The law: whatever bytes a browser sends, `parse` gives a frame or raises `Malformed` with a sentence that can be shown
to the person; nothing else ever comes out of it. Growth is by optional fields; a tag is never reused.
"""

import re
from typing import Annotated, Literal

import msgspec

VERSION = 1
MAX_FRAME_BYTES = 32 * 1024
MAX_TEXT_CHARS = 8_000
MAX_NAME_CHARS = 80
MAX_PAGE_CHARS = 2_048
MAX_FILE_NAME_CHARS = 120

Seq = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A place in one visitor's conversation: grows, may have holes. 0 means "not placed yet"."""

_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


class ClientFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="t"):
    """What every frame of a browser carries."""

    v: int


class Hello(ClientFrame, frozen=True, kw_only=True, tag="hello"):
    """The first frame: who I was, and what I have seen. `last_seq` 0 asks for the whole history."""

    session: str | None = None
    last_seq: Seq = 0
    name: str = ""
    page: str = ""


class Say(ClientFrame, frozen=True, kw_only=True, tag="say"):
    """A message. `id` is the client's own and stays the same when the message is sent again."""

    id: str
    text: str
    page: str = ""
    """The page the visitor is on now, if it changed since hello."""
    name: str = ""
    """What the visitor wants to be called, if that changed since hello."""


class Typing(ClientFrame, frozen=True, kw_only=True, tag="typing"):
    """The visitor began (`on`) or stopped typing."""

    on: bool


class Seen(ClientFrame, frozen=True, kw_only=True, tag="seen"):
    """The visitor has seen everything up to `seq`."""

    seq: Seq


class File(ClientFrame, frozen=True, kw_only=True, tag="file"):
    """Without a token: may I upload `name`? With the receipt of an upload as token: send that file as a message."""

    id: str
    name: str = ""
    token: str = ""


class Pong(ClientFrame, frozen=True, kw_only=True, tag="pong"):
    """The answer to a ping."""


AnyClientFrame = Hello | Say | Typing | Seen | File | Pong


class FileLink(msgspec.Struct, frozen=True, kw_only=True):
    """A file as the visitor sees it. `digest` fetches it."""

    digest: str
    name: str
    media_type: str
    size_bytes: int


class ServerFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="t"):
    """What every frame of the server carries."""

    v: int = VERSION


class OutMessage(ServerFrame, frozen=True, kw_only=True, tag="message"):
    """One message of the conversation, live or from history.

    A visitor's own message (`sender` you) has the client id of its `say` as `id`: that is how a browser knows it again.
    """

    seq: Seq
    id: str
    sender: Literal["agent", "you"] = msgspec.field(name="from")
    name: str = ""
    text: str = ""
    at_ms: int
    files: tuple[FileLink, ...] = ()
    state: Literal["sent", "seen"] = "sent"
    """For the visitor's own messages: `seen` once an agent has read it."""


class Welcome(ServerFrame, frozen=True, kw_only=True, tag="welcome"):
    """The answer to hello. `history` is what is newer than `last_seq`; more may follow as message frames."""

    session: str
    seq: int
    history: tuple[OutMessage, ...] = ()


class Said(ServerFrame, frozen=True, kw_only=True, tag="said"):
    """The message `id` is stored durably: the browser may forget it. `seq` is the newest given to this socket."""

    id: str
    seq: int


class AgentTyping(ServerFrame, frozen=True, kw_only=True, tag="typing"):
    """Somebody at the desk began or stopped typing."""

    name: str
    on: bool


class AgentSeen(ServerFrame, frozen=True, kw_only=True, tag="seen"):
    """An agent has read the visitor's messages up to `seq`."""

    seq: int


class Upload(ServerFrame, frozen=True, kw_only=True, tag="upload"):
    """The one-time token for one upload of at most `max_bytes`."""

    id: str
    token: str
    max_bytes: int


class Ping(ServerFrame, frozen=True, kw_only=True, tag="ping"):
    """Are you there? Browsers cannot see the protocol's own pings, so both sides measure by this one."""


class Refused(ServerFrame, frozen=True, kw_only=True, tag="refused"):
    """Not taken, and why. `retry_after_s` above 0: send the same again then; else it will never be taken."""

    id: str = ""
    code: str
    reason: str
    retry_after_s: float = 0.0


class Bye(ServerFrame, frozen=True, kw_only=True, tag="bye"):
    """The server closes this socket on purpose."""

    reason: str


_decoder = msgspec.json.Decoder(AnyClientFrame)
_any_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text_decoder = msgspec.json.Decoder(str)


class Malformed(Exception):
    """A frame that cannot be taken; `refused` is the answer to send."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.code)
        self.refused = refused


def parse(raw: str) -> AnyClientFrame:
    """The frame in `raw`, with names and pages cleaned and the text as it was written.

    Raises:
        Malformed: too long, not JSON, not one of the frames, or a field outside its limits.
    """
    try:
        body = raw.encode()
    except UnicodeEncodeError:
        raise _malformed("unreadable", "This frame is not valid Unicode.") from None
    if len(body) > MAX_FRAME_BYTES:
        raise _malformed("too_long", f"A frame may be {MAX_FRAME_BYTES // 1024} KiB at most; this one is longer.")
    try:
        frame = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _malformed("unreadable", "This frame is not one of those a web chat sends.", _id_in(body)) from None
    if frame.v != VERSION:
        raise _malformed("version", f"This server speaks version {VERSION}. Load the page again.", _id_in(body))
    return _checked(frame)


def encode(frame: ServerFrame) -> str:
    """The JSON text of a server's frame."""
    return msgspec.json.encode(frame).decode()


def clean_line(text: str, limit_chars: int) -> str:
    """`text` as one line without control, direction or invisible characters, cut to `limit_chars`."""
    return " ".join(_UNSEEN.sub(" ", text).split())[:limit_chars].strip()


def clean_page(page: str) -> str:
    """The address of a page without its fragment; empty if it is not http(s)."""
    line = clean_line(page, MAX_PAGE_CHARS).partition("#")[0]
    return line if line.startswith(("https://", "http://")) else ""


def clean_file_name(name: str) -> str:
    """The base name of `name`, safe to show and to save; `file` if nothing is left."""
    base = clean_line(name, 4_096).replace("\\", "/").rpartition("/")[2]
    base = re.sub(r'[<>:"|?*]', "_", base).lstrip(". ")
    if len(base) > MAX_FILE_NAME_CHARS:
        stem, dot, ending = base.rpartition(".")
        tail = dot + ending if dot and len(ending) <= 8 else ""
        base = (stem if tail else base)[: MAX_FILE_NAME_CHARS - len(tail)] + tail
    return base or "file"


def _checked(frame: AnyClientFrame) -> AnyClientFrame:
    match frame:
        case Hello():
            return msgspec.structs.replace(
                frame, name=clean_line(frame.name, MAX_NAME_CHARS), page=clean_page(frame.page)
            )
        case Say():
            _check_id(frame.id)
            if len(frame.text) > MAX_TEXT_CHARS:
                reason = f"A message may have {MAX_TEXT_CHARS:,} characters at most; this one has {len(frame.text):,}."
                raise _malformed("text_too_long", reason, frame.id)
            if not _UNSEEN.sub("", frame.text).strip():
                raise _malformed("empty", "There is nothing in this message.", frame.id)
            return msgspec.structs.replace(
                frame, name=clean_line(frame.name, MAX_NAME_CHARS), page=clean_page(frame.page)
            )
        case File():
            _check_id(frame.id)
            return msgspec.structs.replace(frame, name=clean_file_name(frame.name))
        case _:
            return frame


def _check_id(client_id: str) -> None:
    if not _CLIENT_ID.fullmatch(client_id):
        raise _malformed("id", "A message id has 8 to 64 letters, digits, - or _.")


def _id_in(body: bytes) -> str:
    """The id of a frame that was refused, if it has a usable one: the browser then knows which message it was."""
    try:
        found = _text_decoder.decode(_any_decoder.decode(body).get("id", b'""'))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return found if _CLIENT_ID.fullmatch(found) else ""


def _malformed(code: str, reason: str, client_id: str = "") -> Malformed:
    return Malformed(Refused(id=client_id, code=code, reason=reason))

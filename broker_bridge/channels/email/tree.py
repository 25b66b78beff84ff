"""The parts of a mail as a tree, read with limits that hold while it is read, not after.

Law: a hostile mail costs no more than its size: the part count and the depth are checked as each part begins, and a mail
inside a mail stays bytes until somebody asks for it. Headers stay raw strings (see `headers`).
"""

import binascii
import re
from email.feedparser import BytesFeedParser
from email.message import Message
from email.policy import Compat32, compat32

from broker_bridge.channels.email import headers, plain
from broker_bridge.channels.email.mail import Over

MAX_DEPTH = 10
MAX_PARTS = 200
MAX_HEADER_BYTES = 64 * 1024
MAX_BYTES = 25 * 1024 * 1024
MAX_LINES = 1_000_000
"""25 MiB of base64 are 340,000 lines; 20 million empty ones took 15 s to read."""

_DEFECTS = {
    "NoBoundaryInMultipartDefect": "The mail says that it has parts but not where they begin; it was read as one text.",
    "StartBoundaryNotFoundDefect": "The mail says that it has parts but none begins; it was read as one text.",
    "CloseBoundaryNotFoundDefect": "The mail ends before its last part does; it may have been cut off on its way.",
    "MissingHeaderBodySeparatorDefect": "The mail's header ends without an empty line.",
    "MisplacedEnvelopeHeaderDefect": "A mailbox line stands inside the mail's header.",
}
_ENCODINGS = {
    "quotedprintable": "qp",
    "qp": "qp",
    "base64": "base64",
    "b64": "base64",
    "xuuencode": "uu",
    "uuencode": "uu",
    "xuue": "uu",
    "uue": "uu",
}


class Budget:
    """What one mail may still cost, shared with the mails inside it."""

    def __init__(self) -> None:
        self.parts = 0
        self.html_chars = 0

    def spend(self) -> None:
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise Over(f"The mail has more than {MAX_PARTS} parts.")


class Part(Message):
    """A part that knows its depth. It keeps message/* content as bytes instead of parsing it on sight."""

    def __init__(self, policy: Compat32 = compat32) -> None:
        super().__init__(policy)
        self.depth = 1

    def attach(self, payload: Message) -> None:  # type: ignore[override]  # the parser attaches parts only
        if isinstance(payload, Part):
            payload.depth = self.depth + 1
            if payload.depth > MAX_DEPTH:
                raise Over(f"The parts of the mail are nested deeper than {MAX_DEPTH} levels.")
        super().attach(payload)

    def get_content_type(self) -> str:
        """The type that the parser acts on: message/* is opaque to it."""
        kind = super().get_content_type()
        return "application/octet-stream" if kind.startswith("message/") else kind

    def media_type(self) -> str:
        """The type that the header names, lower case; text/plain when it names none that makes sense."""
        kind = super().get_content_type()
        return kind if re.fullmatch(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}", kind) else "application/octet-stream"


def read(raw: bytes, budget: Budget, depth: int = 1) -> Part:
    """The tree of a mail.

    Raises:
        Over: a limit was passed.
    """
    if depth > MAX_DEPTH:
        raise Over(f"The parts of the mail are nested deeper than {MAX_DEPTH} levels.")

    def part(policy: Compat32 = compat32) -> Part:
        budget.spend()
        made = Part(policy)
        made.depth = depth
        return made

    parser = BytesFeedParser(part)
    budget.parts -= 1  # the parser makes one part to try the factory
    parser.feed(raw)
    root = parser.close()
    assert isinstance(root, Part)
    for one in root.walk():
        if sum(len(name) + len(value) + 4 for name, value in one.raw_items()) > MAX_HEADER_BYTES:
            raise Over(f"A header of the mail is larger than {MAX_HEADER_BYTES // 1024} KiB.")
    return root


def values(part: Part, name: str) -> tuple[str, ...]:
    """Every raw value of a header, in order. 8-bit bytes are surrogates."""
    wanted = name.lower()
    return tuple(str(value) for key, value in part.raw_items() if key.lower() == wanted)


def value(part: Part, name: str) -> str:
    """The first raw value of a header, or ''."""
    return next(iter(values(part, name)), "")


def defects(part: Part) -> tuple[str, ...]:
    """What the parser found broken in the tree, as sentences."""
    names = [type(defect).__name__ for one in part.walk() for defect in one.defects]
    return tuple(dict.fromkeys(_DEFECTS[name] for name in names if name in _DEFECTS))


def children(part: Part) -> tuple[Part, ...]:
    """The parts of a multipart that really has some; none otherwise."""
    payload = part.get_payload() if part.is_multipart() else ()
    return tuple(one for one in payload if isinstance(one, Part)) if isinstance(payload, list) else ()


def content(part: Part) -> tuple[bytes, str]:
    """The bytes of a leaf, its transfer encoding undone, and a warning or ''."""
    named = value(part, "Content-Transfer-Encoding")
    data = _undecoded(part)
    word = re.sub(r"[^a-z0-9]", "", re.sub(r"\([^)]*\)|;.*", "", headers.unfold(named).lower()))
    encoding = _ENCODINGS.get(word, "")
    if encoding == "qp":
        return binascii.a2b_qp(data), ""
    if encoding == "base64":
        return _base64(data, is_text=part.media_type().startswith("text/"))
    if encoding == "uu":
        lines = data.decode("latin-1").split("\n")
        begin = next((at for at, line in enumerate(lines) if line.startswith("begin ")), None)
        found = plain.uu_block(lines, begin + 1) if begin is not None else None
        if found is not None:
            return found[0], ""
        return data, "A part says that it is uuencoded but is not; it is kept as it came."
    if word in ("", "7bit", "8bit", "binary", "7bits", "8bits"):
        return data, ""
    return data, "A part names a transfer encoding that does not exist; it was read as it came."


def _undecoded(part: Part) -> bytes:
    """The payload as it stood in the mail."""
    named = part.get_all("Content-Transfer-Encoding", [])
    del part["Content-Transfer-Encoding"]
    payload = part.get_payload(decode=True)
    for one in named:
        part["Content-Transfer-Encoding"] = one
    return payload if isinstance(payload, bytes) else b""


def _base64(data: bytes, *, is_text: bool) -> tuple[bytes, str]:
    """Base64, and for text also the plain lines that a mailing list or a scanner put below it."""
    if not is_text:
        return headers.base64_bytes(data), ""
    lines = data.splitlines(keepends=True)
    end = next(
        (at for at, line in enumerate(lines) if re.search(rb"[^A-Za-z0-9+/=\s]|[A-Za-z] [A-Za-z]", line)), len(lines)
    )
    if end == len(lines):
        return headers.base64_bytes(data), ""
    rest = b"".join(lines[end:])
    decoded = headers.base64_bytes(b"".join(lines[:end]))
    return decoded + b"\n" + rest, "A part that should be base64 holds plain lines too; they were kept."

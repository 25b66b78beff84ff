"""What an operator may set for the web chat. Times in seconds, sizes in bytes."""

from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(gt=0)]
Rate = Annotated[float, Meta(gt=0)]
Seconds = Annotated[float, Meta(gt=0)]

UPLOAD_TYPES = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "application/pdf",
    "text/plain",
    "text/csv",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.oasis.opendocument.text",
)


class ChatSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits are those of the promises; the words are shown to visitors."""

    path: Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9_-]+)+$")] = "/chat"
    """Where the page lies on the bridge's web server; the script is below it."""
    origins: tuple[str, ...] = ()
    """Sites that may embed the widget, as `https://shop.example`. Our own page may always."""
    title: str = "Chat with us"
    greeting: str = ""
    """A first line shown in an empty chat; empty: the widget's own words in the visitor's language."""
    accent: str = ""
    """A color of the site, `#rrggbb`, for the button and the visitor's side; empty: the quiet desk's own."""

    is_behind_proxy: bool = False
    """A proxy stands before the bridge and adds the visitor's address at the end of X-Forwarded-For. Without this every
    visitor has the proxy's address, and the limits by address count them all as one."""
    sockets_per_address: Count = 20
    sockets_total: Count = 2_000
    opens_per_s: Rate = 2.0
    opens_burst: Count = 40
    """Sockets an address may open one after the other."""
    says_per_s: Rate = 1.0
    says_burst: Count = 5
    """Messages of one session."""
    address_says_per_s: Rate = 5.0
    address_says_burst: Count = 30
    """Messages of all sessions of one address."""
    signs_per_s: Rate = 5.0
    signs_burst: Count = 20
    """Typing and seen marks of one session; more are dropped silently."""
    malformed_most: Count = 10
    """Unreadable frames after which the socket is closed."""

    upload_max_bytes: Count = 10 * 1024 * 1024
    upload_types: tuple[str, ...] = UPLOAD_TYPES
    uploads_at_once: Count = 8
    upload_timeout_s: Seconds = 120.0

    queue_frames: Count = 256
    """Frames waiting for a slow reader before it is cut off."""
    send_timeout_s: Seconds = 30.0
    ping_every_s: Seconds = 20.0
    silent_s: Seconds = 60.0
    """A socket that says nothing for so long, not even pong, is gone."""
    desk_timeout_s: Seconds = 15.0
    """How long the bridge may take to store or look up something. Under uvicorn's ping timeout of 20 s on purpose:
    it stops reading pongs while a frame is being handled."""

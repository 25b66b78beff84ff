"""What people wrote, who they are and where they are reached: the part of a fact that is sealed on disk.

Law: no word, name or address of a person stands in a fact outside a `Words`, and a `Words` is never written to a stream in
the clear: the daemon replaces it by a `Sealed` on the way out and opens it on the way in. Without the key (the person was
erased) it opens as `Words(is_erased=True)`; the fold of such facts works like any other.
"""

from __future__ import annotations

import msgspec


class Address(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One place where somebody is reached."""

    address: str
    """The mail address, the visitor's id, the telephone number: as the channel spells it."""
    name: str = ""
    """What the sender calls themselves: shown, never trusted."""


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An attachment, kept once in the object store under its digest."""

    digest: str
    """SHA-256 of the bytes, 64 hex characters: the object's name."""
    name: str
    """Cleaned base name, for people."""
    media_type: str = "application/octet-stream"
    size_bytes: int = 0
    is_inline: bool = False
    """It stood in the text (a picture in HTML), not beside it."""


class Packet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What goes along when a case is handed over, so that the customer says nothing twice."""

    problem: str = ""
    proved: str = ""
    """Facts about the person that were verified."""
    promised: str = ""
    tried: str = ""
    open: str = ""
    """Questions without an answer."""


class Words(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="words", gc=False):
    """All that is private in one fact; each fact uses the fields that it needs."""

    text: str = ""
    """Plain text as it was written: not safe for a terminal. At most 64 KiB; the rest is in the raw source."""
    quote: str = ""
    """The folded part: quoted lines of earlier mails."""
    subject: str = ""
    name: str = ""
    """Display name of the sender, or a customer's name."""
    address: str = ""
    """Sender's address, or the address that a handle stands for."""
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    files: tuple[File, ...] = ()
    mail_id: str = ""
    """Message-ID of a mail, without angle brackets."""
    references: tuple[str, ...] = ()
    """Message-IDs that this mail answers, oldest first."""
    client_id: str = ""
    """What the sender's own program calls the message (web chat), so that it knows it again in the history."""
    page: str = ""
    """The page a visitor was on."""
    warnings: tuple[str, ...] = ()
    """What was wrong with the source, one sentence each."""
    packet: Packet | None = None
    fields: tuple[tuple[str, str], ...] = ()
    """(name, value) of what a disposition asks for."""
    is_erased: bool = False


class Sealed(msgspec.Struct, frozen=True, kw_only=True, tag="sealed", gc=False):
    """A `Words` under a data key: AES-256-GCM over its JSON."""

    key: str
    """Name of the data key: a customer's id, or `day-YYYY-MM-DD` for IN and DEAD."""
    box: bytes
    """12 bytes of nonce, then the ciphertext with its tag."""


Private = Words | Sealed

NOTHING = Words()


def opened(private: Private | None) -> Words:
    """The words of a fact that has been unsealed.

    Raises:
        TypeError: the fact is still sealed: it must not reach a fold.
    """
    if private is None:
        return NOTHING
    if isinstance(private, Sealed):
        raise TypeError("a sealed fact reached a place that reads words")
    return private

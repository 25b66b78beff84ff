"""What an operator may set for an e-mail channel. Times in seconds, sizes in bytes; secrets by reference only.

Law: at least one way in (`imap` or `listen`); without `smtp` the channel hears and cannot answer, and says so.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from broker_bridge.channels.email import addresses

Port = Annotated[int, Meta(ge=1, le=65_535)]
Count = Annotated[int, Meta(gt=0)]
Seconds = Annotated[float, Meta(gt=0)]
Security = Literal["tls", "starttls", "none"]
"""`tls`: from the first byte; `starttls`: demanded, never merely tried; `none`: only for a server on this machine."""
Domain = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$")]

MAX_MAIL_BYTES = 25 * 1024 * 1024


class Imap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mailbox to be followed."""

    host: str
    port: Port = 993
    user: str
    auth: Literal["password", "xoauth2"] = "password"
    """`xoauth2`: a token instead of a password, as Google and Microsoft demand."""
    password: str = ""
    """A reference to the secret, as `keyring:mail/support`."""
    token: str = ""
    """A reference to the access token (`xoauth2`), read anew for every connection: whatever renews it puts it there."""
    tls: Security = "tls"
    ca_file: str = ""
    """Certificates to trust instead of the system's."""
    folder: str = "INBOX"
    first_days: Annotated[int, Meta(ge=0)] = 7
    """At the very first start: mails of the last so many days are taken; 0 takes all that there are."""
    poll_s: Seconds = 60.0
    """How often to look where the server cannot push (no IDLE)."""
    renew_s: Annotated[float, Meta(gt=0, le=1_740)] = 600.0
    """How long one IDLE lasts, and so how long a connection that died silently goes unnoticed; servers end it after 29 minutes."""
    timeout_s: Seconds = 30.0
    """The longest silence of the server within one command."""
    mark_seen: bool = False
    """Mark a mail as read after it was stored. Nothing here depends on the mark."""

    def __post_init__(self) -> None:
        wanted, other = ("token", "password") if self.auth == "xoauth2" else ("password", "token")
        if not getattr(self, wanted) or getattr(self, other):
            raise ValueError(f"imap: set {wanted} and not {other} (auth = {self.auth})")

    @property
    def secret(self) -> str:
        """The reference to what it signs in with."""
        return self.token or self.password


class Listen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A small SMTP server for mail that another mail server hands on. It never relays."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 2525
    """0: any free port (for trying out)."""
    recipients: tuple[str, ...] = ()
    """Accepted besides the channel's own addresses."""
    domains: tuple[Domain, ...] = ()
    """Domains of which every address is accepted."""
    max_bytes: Annotated[int, Meta(gt=0, le=MAX_MAIL_BYTES)] = MAX_MAIL_BYTES
    max_recipients: Count = 100
    connections: Count = 100
    connections_per_address: Count = 20
    timeout_s: Seconds = 300.0
    """A client that gives no valid command for so long is cut off."""


class Smtp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server that takes our mails."""

    host: str
    port: Port = 587
    user: str = ""
    """Empty: no sign-in."""
    password: str = ""
    """A reference to the secret."""
    tls: Security = "starttls"
    ca_file: str = ""
    connections: Count = 3
    """Mails handed over at once; large providers allow few."""
    delivery_receipts: bool = False
    """Ask for a report of success too, where the server offers it (DSN)."""


class MailSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One address of ours and the ways in and out of it."""

    address: str
    """Ours, as `support@example.com`: what customers see."""
    name: str = ""
    """`Nordbank Support`, beside the address."""
    shows_agent: bool = True
    """From is `Maya via Nordbank Support`; false: the name alone."""
    aliases: tuple[str, ...] = ()
    """Other addresses of ours that lead here; kept out of Cc."""
    imap: Imap | None = None
    listen: Listen | None = None
    smtp: Smtp | None = None
    reply_tokens: bool = False
    """Put `reply+TOKEN@…` into Reply-To, so that an answer from another address finds its case. The mail server
    must bring sub-addresses of `reply_local` here."""
    reply_domain: str = ""
    """Empty: the domain of `address`."""
    reply_local: Annotated[str, Meta(pattern=r"^[a-z0-9._-]{1,17}$")] = "reply"
    signature: str = ""
    """Below every answer; `{agent}` becomes the agent's name."""
    sent_folder: str = ""
    """A copy of what was sent is put into this folder of the IMAP account; empty: none."""

    def __post_init__(self) -> None:
        for one in (self.address, *self.aliases, *(self.listen.recipients if self.listen else ())):
            if addresses.spec(one) != _domain_lowered(one):
                raise ValueError(f"{one!r} is not a mail address as support@example.com")
        if self.imap is None and self.listen is None:
            raise ValueError("a way in is needed: set imap, listen or both")
        if self.sent_folder and self.imap is None:
            raise ValueError("sent_folder is a folder of the IMAP account: set imap too")
        if self.smtp is not None and bool(self.smtp.user) != bool(self.smtp.password):
            raise ValueError("smtp: user and password go together")

    @property
    def domain(self) -> str:
        """Right part of our Message-IDs, lower case."""
        return self.address.rpartition("@")[2].lower()

    @property
    def token_domain(self) -> str:
        return (self.reply_domain or self.domain).lower()

    @property
    def own_addresses(self) -> frozenset[str]:
        """Every address of ours, lower case."""
        listed = self.listen.recipients if self.listen else ()
        return frozenset(one.lower() for one in (self.address, *self.aliases, *listed))


def _domain_lowered(value: str) -> str:
    local, _, domain = value.rpartition("@")
    return f"{local}@{domain.lower()}"

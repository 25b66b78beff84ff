"""When the desk calls its person, and what to write to which terminal for it.

Law: a call is never the only sign of anything. A customer's words do not leave the window: a notification carries the
name of the event and of the person, cleaned, and nothing that a stranger standing near should not read. What a
terminal does not understand is not written to it: an unknown terminal gets the bell and the title.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

import msgspec

from agent_tui.model.clean import clean_line
from agent_tui.model.desk import Applied
from broker_bridge.contract.ids import ConversationId
from broker_bridge.contract.views import Row

Event = Literal["offered", "assigned", "customer_wrote", "transfer"]
Means = Literal["toast", "bell", "title", "desktop"]
Desktop = Literal["", "osc9", "osc777", "osc99"]
Wrapped = Literal["", "tmux", "screen"]

EVENTS: tuple[Event, ...] = ("offered", "transfer", "assigned", "customer_wrote")
"""Most urgent first."""
ESC = "\x1b"
ST = "\x1b\\"
BELL = "\x07"
NAME_CHARS = 60

_TITLES: dict[Event, str] = {
    "offered": "Offer",
    "transfer": "Transfer",
    "assigned": "New for you",
    "customer_wrote": "New message",
}
_OSC777 = ("foot", "rxvt", "urxvt", "ghostty", "wezterm", "contour")
_BY_PROGRAM: dict[str, Desktop] = {
    "iterm.app": "osc9",
    "wezterm": "osc777",
    "ghostty": "osc777",
    "warpterminal": "osc777",
    "rio": "osc9",
}


class Notifications(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """[notifications] of settings.toml: by what means each event calls."""

    offered: tuple[Means, ...] = ("toast", "bell", "title", "desktop")
    assigned: tuple[Means, ...] = ("toast", "bell", "title", "desktop")
    customer_wrote: tuple[Means, ...] = ("title",)
    transfer: tuple[Means, ...] = ("toast", "bell", "title", "desktop")
    repeat_s: int = 0
    """Call again after so many seconds until it is seen; 0 = once."""

    def means(self, event: Event) -> tuple[Means, ...]:
        found: tuple[Means, ...] = getattr(self, event)
        return found


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One reason to call the person."""

    event: Event
    conversation: ConversationId
    title: str
    body: str
    """One line, cleaned: a person's name and the channel's word."""


class Terminal(msgspec.Struct, frozen=True, kw_only=True):
    """What the terminal around us understands."""

    desktop: Desktop = ""
    has_title: bool = True
    wrapped: Wrapped = ""
    """Sequences must be passed through this multiplexer."""


def terminal(environ: Mapping[str, str]) -> Terminal:
    """Told from $TERM_PROGRAM, $TERM and what terminals leave in the environment.

    Inside tmux the outer terminal is seldom told; OSC 9 is what most of those that notify at all understand (iTerm2, kitty,
    foot, WezTerm, Ghostty), and tmux drops it unless `allow-passthrough` is on.
    """
    term = environ.get("TERM", "").lower()
    program = environ.get("TERM_PROGRAM", "").lower()
    if "TMUX" in environ:
        outer = environ.get("LC_TERMINAL", "").lower()
        return Terminal(desktop="osc9" if outer in ("", "iterm2") else _BY_PROGRAM.get(outer, ""), wrapped="tmux")
    if "STY" in environ or term.startswith("screen"):
        return Terminal(wrapped="screen")
    if term in ("", "dumb", "linux"):
        return Terminal(has_title=False)
    if "KITTY_WINDOW_ID" in environ or term == "xterm-kitty":
        return Terminal(desktop="osc99")
    if program in _BY_PROGRAM:
        return Terminal(desktop=_BY_PROGRAM[program])
    if any(name in term for name in _OSC777):
        return Terminal(desktop="osc777")
    return Terminal()


def calls(applied: Applied, rows: Mapping[ConversationId, Row], asked: Collection[ConversationId] = ()) -> list[Call]:
    """Why to call, for one change of the desk, most urgent first; at most one reason for each conversation.

    `asked`: conversations that this person took by a key: getting what one asked for is no news. A full set (first
    start, return of the link) calls for what rings now and for nothing else.
    """
    found = []
    for conv in applied.changed:
        row = rows.get(conv)
        event = row and _event(applied.before.get(conv), row, is_first=applied.is_reset, is_asked=conv in asked)
        if row and event:
            name = clean_line(row.name, NAME_CHARS) or "somebody"
            body = f"{name}, {clean_line(row.channel, 4)}" if row.channel else name
            found.append(Call(event=event, conversation=conv, title=_TITLES[event], body=body))
    return sorted(found, key=lambda call: (EVENTS.index(call.event), call.conversation))


def _event(old: Row | None, new: Row, *, is_first: bool, is_asked: bool) -> Event | None:
    if new.state == "ringing":
        if old is not None and old.state == "ringing" and old.offer_until_ms == new.offer_until_ms:
            return None
        return "transfer" if new.owner else "offered"
    if new.state != "mine" or (is_first and old is None):
        return None
    if old is None or old.state != "mine":
        return None if is_asked or (old is not None and old.state == "closed") else "assigned"
    if old.transfer_to and not new.transfer_to and old.epoch == new.epoch:
        return "transfer"
    if new.text_by == "them" and new.unread > old.unread:
        return "customer_wrote"
    return None


def sequences(call: Call, settings: Notifications, around: Terminal, *, is_bell_on: bool = True) -> str:
    """What to write to the terminal for this call: bell and desktop notification; empty if neither is wanted."""
    means = settings.means(call.event)
    out = BELL if "bell" in means and is_bell_on else ""
    if "desktop" in means and around.desktop:
        out += _through(_desktop(around.desktop, _plain(call.title), _plain(call.body)), around.wrapped)
    return out


def title(around: Terminal, ringing: int, unread: int) -> str:
    """The sequence that sets the window's title: `(2 ringing, 3 new) onewindow`."""
    if not around.has_title:
        return ""
    parts = [f"{ringing} ringing"] if ringing else []
    parts += [f"{unread} new"] if unread else []
    words = f"({', '.join(parts)}) onewindow" if parts else "onewindow"
    # Multiplexers keep a title of their own and pass it on as they are set: nothing to wrap.
    return f"{ESC}]2;{words}{BELL}"


def is_due_again(called_ms: int, now_ms: int, settings: Notifications) -> bool:
    """Whether a call that nobody saw is to be repeated."""
    return settings.repeat_s > 0 and now_ms - called_ms >= settings.repeat_s * 1000


def _desktop(kind: Desktop, heading: str, body: str) -> str:
    if kind == "osc777":
        return f"{ESC}]777;notify;{heading.replace(';', ',')};{body}{BELL}"
    if kind == "osc99":
        return f"{ESC}]99;i=onewindow:d=0;{heading}{ST}{ESC}]99;i=onewindow:p=body;{body}{ST}"
    # ConEmu and Windows Terminal read `9;4;…` as progress: words first, never a digit and a semicolon.
    return f"{ESC}]9;{heading}: {body}{BELL}"


def _plain(words: str) -> str:
    return clean_line(words, 200)


def _through(sequence: str, wrapped: Wrapped) -> str:
    if wrapped == "tmux":
        return f"{ESC}Ptmux;{sequence.replace(ESC, ESC + ESC)}{ST}"
    if wrapped == "screen":
        return f"{ESC}P{sequence}{ST}"
    return sequence

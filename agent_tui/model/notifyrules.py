"""When the desk calls its person, and what to write to which terminal for it.

Law: a call is never the only sign of anything. A customer's words do not leave the window: a notification carries the
name of the event and of the person, cleaned, and nothing that a stranger standing near should not read. What a
terminal does not understand is not written to it: an unknown terminal gets the bell and the title.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, get_args

import msgspec

from agent_tui.model.clean import clean_line
from agent_tui.model.desk import Applied
from broker_bridge.contract.ids import ConversationId
from broker_bridge.contract.views import Notice, Row

Event = Literal[
    "offered",
    "transfer",
    "alarm",
    "late",
    "returned",
    "reminder",
    "near",
    "assigned",
    "woken",
    "observed",
    "customer_wrote",
]
Means = Literal["toast", "bell", "title", "desktop"]
Desktop = Literal["", "osc9", "osc777", "osc99"]
Wrapped = Literal["", "tmux", "screen"]

EVENTS: tuple[Event, ...] = get_args(Event)
"""Most urgent first."""
TOLD: frozenset[Event] = frozenset(("alarm", "late", "returned", "reminder", "near", "assigned", "woken", "observed"))
"""Those that the bridge tells by a notice; the other ones are seen by the rows."""
_SAME: dict[Event, Event] = {"transfer": "returned"}
"""What a row shows and what a notice tells of the same thing."""
ESC = "\x1b"
ST = "\x1b\\"
BELL = "\x07"
NAME_CHARS = 60
SAID_CHARS = 300

_TITLES: dict[Event, str] = {
    "offered": "Offer",
    "transfer": "Transfer",
    "assigned": "New for you",
    "customer_wrote": "New message",
    "alarm": "Alarm",
    "late": "Late",
    "returned": "Came back",
    "reminder": "Reminder",
    "near": "Due soon",
    "woken": "Awake again",
    "observed": "You follow",
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
    alarm: tuple[Means, ...] = ("toast", "bell", "title", "desktop")
    late: tuple[Means, ...] = ("toast", "bell", "title")
    returned: tuple[Means, ...] = ("toast", "bell", "title")
    reminder: tuple[Means, ...] = ("toast", "bell", "title", "desktop")
    near: tuple[Means, ...] = ("toast",)
    woken: tuple[Means, ...] = ("toast", "title")
    observed: tuple[Means, ...] = ("toast",)
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
    """One line, cleaned: a person's name and the channel's word. It may leave the window."""
    said: str = ""
    """The sentence for the window, cleaned; it stays inside. Empty: title and body."""

    @property
    def words(self) -> str:
        """`Came back: Anna Berg, wa. Ole is at lunch: it stays yours.`"""
        return self.said or f"{self.title}: {self.body}"

    @property
    def about(self) -> tuple[str, str]:
        """Calls that tell the same thing have the same."""
        return _SAME.get(self.event, self.event), self.conversation


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
    """Why to call, for one change of the desk, most urgent first; what a notice tells is not told by the row as well.

    `asked`: conversations that this person took by a key: getting what one asked for is no news. A full set (first
    start, return of the link) calls for what rings now and for nothing else.
    """
    found = [call for one in applied.notices if (call := _told(one, rows)) is not None]
    told = {call.about for call in found}
    for conv in applied.changed:
        row = rows.get(conv)
        event = row and _event(applied.before.get(conv), row, is_first=applied.is_reset, is_asked=conv in asked)
        if row and event:
            call = Call(event=event, conversation=conv, title=_TITLES[event], body=_body(row))
            if call.about not in told:
                found.append(call)
    return sorted(found, key=lambda call: (EVENTS.index(call.event), call.conversation))


def _body(row: Row) -> str:
    name = clean_line(row.name, NAME_CHARS) or "somebody"
    return f"{name}, {clean_line(row.channel, 4)}" if row.channel else name


def _told(notice: Notice, rows: Mapping[ConversationId, Row]) -> Call | None:
    """What a notice calls for; None of a kind that this window does not know.

    Its words may tell of the case, so they stay in the window. Without a case they are the house's own: an alarm.
    """
    event = next((one for one in TOLD if one == notice.kind), None)
    if event is None:
        return None
    title, text = _TITLES[event], clean_line(notice.text, SAID_CHARS)
    row = rows.get(notice.conv)
    body = _body(row) if row is not None else "" if notice.conv else text
    name = clean_line(row.name, NAME_CHARS) if row is not None else ""
    # The person is named once: the bridge's sentence often does it.
    who = f"{body}. " if row is not None and name not in text else ""
    return Call(event=event, conversation=notice.conv, title=title, body=body, said=f"{title}: {who}{text or body}")


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


def title(around: Terminal, ringing: int, unread: int, told: int = 0) -> str:
    """The sequence that sets the window's title: `(2 ringing, 3 new) onewindow`. `told`: notices that nobody saw."""
    if not around.has_title:
        return ""
    parts = [f"{ringing} ringing"] if ringing else []
    parts += [f"{unread} new"] if unread else []
    parts += [f"{told} to see"] if told else []
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
    return f"{ESC}]9;{heading}: {body}{BELL}" if body else f"{ESC}]9;{heading}{BELL}"


def _plain(words: str) -> str:
    return clean_line(words, 200)


def _through(sequence: str, wrapped: Wrapped) -> str:
    if wrapped == "tmux":
        return f"{ESC}Ptmux;{sequence.replace(ESC, ESC + ESC)}{ST}"
    if wrapped == "screen":
        return f"{ESC}P{sequence}{ST}"
    return sequence

"""One table of actions: bindings, the key line, the help and the palette derive from it.

Law: in one place one key means one thing, and a table in which it does not is refused with both names. Where text is
typed only chords and f-keys act. Every letter works on a Cyrillic layout by its place on the keyboard.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import msgspec

from agent_tui.model.frame import Key
from agent_tui.model.keynames import bound, is_chord, parse, shown, twin

Place = Literal["list", "thread", "side", "tasks", "composer", "chat", "monitor", "offer", "down", "stopped"]
"""Where a key is pressed. `side`: profile and timeline; `tasks`: the list of tasks in the inbox pane;
`chat`: the composer of a channel on which enter sends.

The last three lie over another place and win over it: `offer` the offer card, `down` no link, `stopped` a stopped send.
"""
Group = Literal["Work", "Look", "Move", "Write", "You", "Supervise", "Always"]

GROUPS: tuple[Group, ...] = ("Work", "Look", "Move", "Write", "You", "Supervise", "Always")
TYPED: frozenset[Place] = frozenset({"composer", "chat", "stopped"})
OVERLAYS: frozenset[Place] = frozenset({"offer", "down", "stopped"})
READING: tuple[Place, ...] = ("list", "thread", "side")
WRITING: tuple[Place, ...] = ("composer", "chat")
DESK: tuple[Place, ...] = (*READING, *WRITING)
PANES: tuple[Place, ...] = (*DESK, "monitor")
ANYWHERE: tuple[Place, ...] = (*PANES, "tasks")
VIEWS: tuple[Place, ...] = (*READING, "tasks")
"""Where the number keys choose what the inbox pane shows."""
LAST_RANK = 99
"""Never on the key line."""


STANDS_FOR = {"wrap_up": "close", "wake": "snooze"}
"""Verbs of a row that are done by another verb's key: on a closed case `close` opens its form again."""


def meant(verbs: Collection[str]) -> tuple[str, ...]:
    """What a row allows, with the verbs whose keys do it."""
    return (*verbs, *(STANDS_FOR[verb] for verb in verbs if verb in STANDS_FOR))


class KeyTableError(Exception):
    """A sentence about [keys] that names the action."""


class KeyConflict(KeyTableError):
    """Two actions want one key in one place."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person can do here."""

    name: str
    """What settings.toml and the screens call it: `action_<name>`."""
    label: str
    """The verb on the key line."""
    description: str
    """In the help and the palette."""
    group: Group
    where: tuple[Place, ...]
    keys: tuple[str, ...] = ()
    """Where nothing is typed."""
    typing: tuple[str, ...] = ()
    """Chords and f-keys: in a text field these alone, elsewhere too."""
    verb: str | None = None
    """The row must allow this verb of the contract."""
    rank: int = LAST_RANK
    """On the key line the highest goes first."""
    is_supervisor: bool = False


def _act(
    name: str,
    keys: str,
    label: str,
    description: str,
    group: Group,
    where: tuple[Place, ...],
    *,
    typing: str = "",
    verb: str | None = None,
    rank: int = LAST_RANK,
    is_supervisor: bool = False,
) -> Action:
    return Action(
        name=name,
        keys=tuple(keys.split()),
        label=label,
        description=description,
        group=group,
        where=where,
        typing=tuple(typing.split()),
        verb=verb,
        rank=rank,
        is_supervisor=is_supervisor,
    )


OFFER: tuple[Place, ...] = (*DESK, "offer")

ACTIONS: tuple[Action, ...] = (
    _act("accept", "a", "accept", "accept or answer", "Work", OFFER, typing="f2", verb="accept", rank=1),
    _act("decline", "d", "decline", "decline an offer", "Work", OFFER, typing="f3", verb="decline", rank=2),
    _act(
        "decline_saying",
        "D",
        "decline, saying why",
        "decline with a word",
        "Work",
        OFFER,
        # Many terminals send shift+f3 as the report of where the caret stands: it cannot be the only chord.
        typing="alt+d shift+f3",
        verb="decline",
    ),
    _act("reply", "r", "reply", "reply", "Work", (*READING, "down"), verb="reply", rank=3),
    _act("note", "n", "note", "note to colleagues", "Work", (*DESK, "down"), typing="f8", verb="note", rank=5),
    _act(
        "transfer",
        "t",
        "transfer",
        "transfer to a colleague",
        "Work",
        DESK,
        typing="f5",
        verb="transfer",
        rank=6,
    ),
    _act("take_back", "T", "take back", "take a transfer back", "Work", READING, verb="take_back", rank=4),
    _act("confirm", "y", "hand over", "hand over to who was asked", "Work", READING, verb="confirm", rank=2),
    _act("end_consult", "x", "end talk", "end the talk about it", "Work", READING, verb="end_consult", rank=3),
    _act("merge", "m", "merge", "merge with another case", "Work", READING, verb="merge", rank=14),
    _act("keep_apart", "N", "not the same", "no: not the same case", "Work", READING, verb="keep_apart", rank=15),
    _act("unmerge", "U", "un-merge", "take a merged case out", "Work", READING, verb="unmerge", rank=36),
    _act("split", "S", "split", "split at this message", "Work", ("thread",), verb="split", rank=37),
    _act("observe", "v", "follow", "follow, or no longer", "Work", READING, verb="observe", rank=38),
    _act("prioritize", "P", "priority", "priority, 1 to 9", "Work", READING, verb="prioritize", rank=39),
    _act("channel", "c", "channel", "answer by another channel", "Work", DESK, typing="f9", verb="reply", rank=12),
    _act("close", "e", "close", "close, and its outcome", "Work", DESK, typing="f6", verb="close", rank=7),
    _act("close_next", "E", "close+next", "close as usual, and next", "Work", DESK, typing="f7", verb="close", rank=9),
    _act("snooze", "z", "snooze", "snooze, or wake", "Work", READING, verb="snooze", rank=10),
    _act("add_task", "f", "task", "add a follow-up task", "Work", READING, verb="add_task", rank=17),
    _act("call_back", "C", "call back", "ask for a call-back", "Work", READING, verb="add_task", rank=18),
    _act("open_task", "enter", "open case", "in tasks: open the case", "You", ("tasks",), rank=1),
    _act("finish_task", "space", "done", "in tasks: done", "You", ("tasks",), rank=2),
    _act("edit_task", "R", "change", "in tasks: change it", "You", ("tasks",), rank=3),
    _act("assign_task", "A", "assign", "in tasks: to a colleague", "You", ("tasks",), rank=6),
    _act("next_tasks", "tab", "next view", "in tasks: next view", "You", ("tasks",), rank=4),
    _act("previous_tasks", "shift+tab", "view before", "in tasks: view before", "You", ("tasks",)),
    _act("leave_tasks", "escape", "conversations", "in tasks: leave them", "You", ("tasks",), rank=5),
    _act("why", "w", "why", "why me, and until when", "Work", OFFER, typing="f4", rank=20),
    _act("reopen", "R", "reopen", "reopen", "Work", READING, verb="reopen", rank=3),
    _act("send_again", "A", "send again", "send a failed reply again", "Work", READING, verb="send_again", rank=4),
    _act("view_mine", "1", "mine", "your own conversations", "Look", VIEWS),
    _act("view_queue", "2", "queue", "what waits in the queue", "Look", VIEWS),
    _act("view_all", "3", "all", "all conversations", "Look", VIEWS),
    _act("view_tasks", "4", "tasks", "follow-up tasks and call-backs", "Look", VIEWS),
    _act("search", "/", "search", "search everything", "Look", (*ANYWHERE, "down"), typing="ctrl+f", rank=8),
    _act("profile", "p", "profile", "profile", "Look", READING, rank=30),
    _act("timeline", "l", "timeline", "timeline", "Look", READING, rank=31),
    _act("open_item", "o", "open", "open file or message", "Look", READING, rank=32),
    _act("save_file", "s", "save", "save a file", "Look", READING, rank=33),
    _act("unfold", ">", "unfold", "unfold a quote", "Look", READING, rank=34),
    _act("raw", "i", "raw", "what was sent, raw", "Look", READING, rank=35),
    _act("waits", "o", "what waits", "what waits for the link", "Look", ("down",), rank=2),
    _act("take_reply_back", "D", "take a reply back", "take a waiting reply back", "Look", ("down",), rank=4),
    _act("next_pane", "tab", "pane", "next pane", "Move", PANES),
    _act("previous_pane", "shift+tab", "pane before", "pane before", "Move", PANES),
    _act("cursor_down", "j down", "row", "next row", "Move", (*READING, "monitor")),
    _act("cursor_up", "k up", "row", "row before", "Move", (*READING, "monitor")),
    _act("page_down", "pagedown space", "page", "a page down", "Move", (*READING, "monitor")),
    _act("page_up", "pageup", "page", "a page up", "Move", (*READING, "monitor")),
    _act("top", "g home", "top", "top", "Move", READING),
    _act("board_top", "home", "top", "top of a board", "Move", ("monitor",)),
    _act("bottom", "G end", "bottom", "bottom", "Move", (*READING, "monitor")),
    _act("open", "enter", "open", "open", "Move", READING),
    _act("back", "escape", "back", "back", "Move", (*READING, "monitor")),
    _act("leave_composer", "", "to the list", "back to the list", "Move", WRITING, typing="escape", rank=3),
    _act("send", "", "send", "send", "Write", WRITING, typing="alt+enter", rank=1),
    _act("send_next", "", "send+next", "send and next", "Write", WRITING, typing="ctrl+n", rank=2),
    _act("newline", "", "new line", "new line", "Write", WRITING, typing="ctrl+j", rank=40),
    _act("send_anyway", "", "send anyway", "send, although they wrote", "Write", ("stopped",), typing="ctrl+y", rank=1),
    _act("read_new", "", "read what is new", "read what is new", "Write", ("stopped",), typing="up", rank=2),
    _act("presence", "b", "presence", "ready, busy, away", "You", VIEWS, rank=25),
    _act(
        "monitor",
        "M",
        "monitor",
        "floor, queues and alerts",
        "Supervise",
        DESK,
        typing="f10",
        rank=11,
        is_supervisor=True,
    ),
    _act(
        "read_silently",
        "enter",
        "read silently",
        "read silently",
        "Supervise",
        ("monitor",),
        rank=1,
        is_supervisor=True,
    ),
    _act("sort_floor", "s", "sort", "sort the floor", "Supervise", ("monitor",), rank=5, is_supervisor=True),
    _act("page_floor", "1", "floor", "the floor", "Supervise", ("monitor",), rank=21, is_supervisor=True),
    _act("page_queues", "2", "queues", "the queues", "Supervise", ("monitor",), rank=22, is_supervisor=True),
    _act("page_alerts", "3", "alerts", "the alerts", "Supervise", ("monitor",), rank=23, is_supervisor=True),
    _act(
        "page_read", "4", "read", "the conversation being read", "Supervise", ("monitor",), rank=24, is_supervisor=True
    ),
    _act(
        "force_state",
        "f",
        "force state",
        "set a colleague's state",
        "Supervise",
        ("monitor",),
        rank=6,
        is_supervisor=True,
    ),
    _act(
        "assign",
        "A",
        "assign",
        "give what is read to a colleague",
        "Supervise",
        ("monitor",),
        rank=7,
        is_supervisor=True,
    ),
    _act(
        "give_now", "g", "give now", "a silent agent's work back", "Supervise", ("monitor",), rank=8, is_supervisor=True
    ),
    _act("alert_seen", "x", "alert seen", "an alert is seen", "Supervise", ("monitor",), rank=9, is_supervisor=True),
    _act("theme", "", "theme", "next theme", "Always", ANYWHERE),
    _act("ascii", "", "ascii", "glyphs in ASCII, or not", "Always", ANYWHERE),
    _act("command", ":", "command", "command", "Always", ANYWHERE, typing="ctrl+p"),
    _act("help", "?", "help", "this help", "Always", ANYWHERE, typing="f1"),
    _act("quit", "", "leave", "leave, drafts stay", "Always", ANYWHERE, typing="ctrl+q"),
)


class KeyTable:
    """The actions with the keys of one person."""

    def __init__(self, actions: Iterable[Action] = ACTIONS) -> None:
        """
        Raises:
            KeyConflict: two actions want one key in one place.
        """
        self.actions = tuple(actions)
        self._by_name = {action.name: action for action in self.actions}
        taken: dict[tuple[Place, str], Action] = {}
        for action in self.actions:
            for place in action.where:
                for key in self._keys(action, place):
                    other = taken.setdefault((place, key), action)
                    if other is not action:
                        raise KeyConflict(
                            f"{shown(key)} means two things in the {place}: {other.name} ({other.description}) "
                            f"and {action.name} ({action.description})"
                        )

    def __getitem__(self, name: str) -> Action:
        return self._by_name[name]

    def bindings(self, *places: Place) -> dict[str, str]:
        """Textual key -> action name, for a place and what lies over it: the last of `places` wins. With Cyrillic twins."""
        found: dict[str, str] = {}
        twins: dict[str, str] = {}
        for place in places:
            for action in self.actions:
                if place in action.where:
                    for key in self._keys(action, place, is_typed=bool(TYPED.intersection(places))):
                        found[bound(key)] = action.name
                        if (other := twin(key)) is not None:
                            twins[bound(other)] = action.name
        return twins | found

    def keys_for(
        self, place: Place, verbs: Collection[str], *, is_supervisor: bool = False, is_typed: bool | None = None
    ) -> tuple[Key, ...]:
        """The key line of a place, as `(key, verb, rank)` in the table's order; only what the row's `verbs` allow.

        `is_typed`: the place lies over a text field (an offer while writing); None = as the place itself.
        """
        found = []
        for action in self.actions:
            if place not in action.where or action.rank >= LAST_RANK or (action.is_supervisor and not is_supervisor):
                continue
            keys = self._keys(action, place, is_typed=is_typed)
            if keys and (action.verb is None or action.verb in verbs):
                found.append(Key(shown(keys[0]), action.label, action.rank))
        return tuple(found)

    def shown(self, name: str, place: Place = "list") -> str:
        """The first key of an action in a place, for eyes; empty if it has none there."""
        keys = self._keys(self._by_name[name], place)
        return shown(keys[0]) if keys else ""

    def help(self, *, is_supervisor: bool = False) -> dict[Group, list[tuple[str, Action]]]:
        """Every action by group, with its keys for eyes (`j ↓`); those without a key are the palette's."""
        found: dict[Group, list[tuple[str, Action]]] = {group: [] for group in GROUPS}
        for action in self.actions:
            keys = action.keys or action.typing
            if keys and (is_supervisor or not action.is_supervisor):
                found[action.group].append((" ".join(shown(key) for key in keys), action))
        return {group: rows for group, rows in found.items() if rows}

    def _keys(self, action: Action, place: Place, is_typed: bool | None = None) -> tuple[str, ...]:
        typed = place in TYPED if is_typed is None else is_typed
        if place == "chat" and action.name == "send":
            # Which of the two sends is the channel's affair, not the person's: mail would lose its line breaks.
            return ("enter", *action.typing)
        return action.typing if typed else (*action.keys, *action.typing)


def table(changes: Mapping[str, str | list[str]] | None = None) -> KeyTable:
    """The table with [keys] of settings.toml: action name to a key or a list of keys; an empty list frees the key.

    Chords and f-keys among them hold where text is typed as well; without any the action keeps its own chords.

    Raises:
        KeyConflict: two actions want one key in one place; both are named.
        KeyTableError: no such action or no such key.
    """
    found = {action.name: action for action in ACTIONS}
    for name, wanted in (changes or {}).items():
        if name not in found:
            near = difflib.get_close_matches(name, found, 1)
            raise KeyTableError(f"[keys] {name}: there is no such action" + (f"; is it {near[0]}?" if near else ""))
        try:
            keys = tuple(parse(key) for key in ([wanted] if isinstance(wanted, str) else wanted))
        except ValueError as error:
            raise KeyTableError(f"[keys] {name}: {error}") from error
        chords = tuple(key for key in keys if is_chord(key))
        action = found[name]
        if action.typing and not action.keys and keys and not chords:
            raise KeyTableError(f"[keys] {name}: it acts while you write, so it needs a chord (ctrl+n) or an f-key")
        plain = tuple(key for key in keys if not is_chord(key))
        typing = chords or (action.typing if keys else ())
        found[name] = msgspec.structs.replace(action, keys=plain, typing=typing)
    return KeyTable(found.values())

"""What stands where there is nothing: why, then the keys that help."""

from __future__ import annotations

from agent_tui.model import presence
from agent_tui.model.cells import wrap
from agent_tui.model.frame import Key
from agent_tui.model.glyphs import Glyphs
from agent_tui.model.runs import BLANK, Line, Run, line
from broker_bridge.contract.views import Counts, Me

NOT_OFFERED = "Nothing is offered to you meanwhile."
_OFFERED = {
    "away": "Nothing is offered to you while you are away.",
    "transfer_only": "Only what colleagues give you is offered.",
    "wrap_up": "The next one is offered when the outcome is written.",
}


def inbox_lines(
    view: str, counts: Counts, me: Me | None, is_up: bool, keys: tuple[Key, ...], cells: int, glyphs: Glyphs
) -> tuple[Line, ...]:
    """`Nothing waits for you.` with the reason."""
    title, why = _why(view, counts, me, is_up)
    found = [BLANK, line(Run("    "), Run(title, "strong", "b")), BLANK]
    found.extend(line(Run(f"    {words}")) for words in wrap(why, cells - 5))
    found.append(BLANK)
    for key in keys:
        shown = key.key.replace("⏎", glyphs.enter)
        found.append(line(Run("    "), Run(f"{shown:<4}", "acc", "b"), Run(key.words)))
    return (*found, BLANK)


def _why(view: str, counts: Counts, me: Me | None, is_up: bool) -> tuple[str, str]:
    if not is_up:
        return "Nothing known yet.", "The list comes with the link. What you do meanwhile waits here."
    if view == "found":
        return "Nothing found.", "No conversation has all these words, in its text, its names or its addresses."
    if view == "queue":
        return "Nobody waits in the queue.", "New conversations come here when nobody is free for them."
    if me is not None and me.state != "ready":
        word = presence.word(me.state, me.reason)
        is_away = me.state == "away"
        return f"You are {f'away: {word}' if is_away and me.reason else word}.", _OFFERED.get(me.state, NOT_OFFERED)
    if counts.queue:
        return "Nothing waits for you.", f"{counts.queue} wait in the queue. The next one for you is offered by itself."
    return "Nothing waits for you.", "Nobody waits in the queue. The next one for you is offered by itself."


def thread_lines(counts: Counts, me: Me | None, glyphs: Glyphs) -> tuple[Line, ...]:
    """The desk in numbers while no conversation is open."""
    rows: list[tuple[str, str]] = [(str(counts.mine), "yours"), (str(counts.queue), "wait in the queue")]
    if counts.service_level is not None:
        rows.append((f"{round(counts.service_level * 100)} %", "answered in time"))
    found = [BLANK, line(Run("    "), Run("The desk now", "mut", "b")), BLANK]
    found.extend(line(Run(f"    {number:>6}", "strong", "b"), Run(f"  {words}")) for number, words in rows)
    for word, used, places in me.loads if me is not None else ():
        shape = glyphs.load(used, places)
        found.append(line(Run(f"    {f'{used}/{places}':>6}", "strong", "b"), Run(f"  {word}  "), Run(shape, "mut")))
    return tuple(found)

"""What a supervisor does on the floor: set a state, assign what is read, give a silent agent's work back, see an alert.

The law: nothing is taken from anybody without the count being said and confirmed; each case goes back to its own queue, by the
owner epoch that was shown. The bridge audits it before it does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent_tui.model import alerts, deeds
from agent_tui.model.clean import clean_line
from agent_tui.screens import being
from broker_bridge.contract.commands import Act, Refusal, Rows, Transfer
from broker_bridge.contract.views import Answer, Colleague, Row, RowPage

if TYPE_CHECKING:
    from agent_tui.screens.monitor import Monitor

PAGE = 200
MOST_PAGES = 50
"""10,000 rows: more than a site's agents can hold at a time."""
GONE = ("silent", "off")
"""States in which somebody's work may be given back."""
DISK_FULL = "The disk is full: nothing was sent."


def force_state(screen: Monitor) -> None:
    """`f`: the colleague under the cursor."""
    one, _ = screen.chosen()
    if one is None:
        screen.say("Choose a colleague on the floor first.")
    else:
        being.force(screen, one)


def assign(screen: Monitor) -> None:
    """`A`: what is read goes to a colleague without asking."""
    opened = screen.reading.opened
    if opened is None:
        screen.say("Read a conversation first, then assign it.")
        return
    row = opened.row
    if "force_transfer" not in row.verbs:
        screen.say(f"{_name(row)} cannot be assigned now: it is {deeds.where(row)}.")
        return
    from agent_tui.screens.transfer import Transferring, Whom

    def given(whom: Whom | None) -> None:
        if whom is not None:
            seen = opened.newest_seq
            make = deeds.transfer(
                _id(screen), row, "agent", whom.id, whom.note, packet=whom.packet, seen=seen, force=True
            )
            post(screen, make)

    screen.app.push_screen(Transferring(screen.place, row, is_forced=True), given)


def give_now(screen: Monitor) -> None:
    """`g`: all that a silent agent owns, back to its queues."""
    one, _ = screen.chosen()
    if one is None:
        screen.say("Choose a colleague on the floor first.")
    elif one.state not in GONE:
        screen.say(f"{clean_line(one.name, 40)} is here: read what they work on and assign it.")
    else:
        screen.run_worker(_give(screen, one), group="give", exclusive=True)


async def _give(screen: Monitor, one: Colleague) -> None:
    name = clean_line(one.name, 40)
    rows = await owned(screen, one.agent)
    if rows is None:
        screen.say(f"Without a link it is not known what {name} has.")
        return
    back = [row for row in rows if row.queue]
    if not back:
        screen.say(f"{name} has nothing that can go back to a queue.")
        return
    from agent_tui.screens.sure import Sure

    left = f"{len(rows) - len(back)} more came from no queue and stay." if len(back) < len(rows) else ""
    queues = {queue.queue: clean_line(queue.name, 40) for queue in screen.known.queues}
    shown = tuple((_name(row), clean_line(row.channel, 4), queues.get(row.queue, row.queue)) for row in back)

    def given(is_sure: bool | None) -> None:
        if not is_sure:
            return
        sent = sum(post(screen, deeds.transfer(_id(screen), row, "queue", row.queue, "")) for row in back)
        if sent:
            screen.say(f"{_count(sent)} of {name} on the way back.")

    title = f"Give back {_count(len(back))} of {name}"
    screen.app.push_screen(Sure(screen.place, title, shown, act="give back", hint=left), given)


async def owned(screen: Monitor, agent: str) -> tuple[Row, ...] | None:
    """What this agent owns and may be transferred; None without an answer."""
    found: dict[str, Row] = {}
    for page in range(MOST_PAGES):
        answer = await screen.place.ask(Rows(view="all", start=page * PAGE, limit=PAGE))
        if not isinstance(answer, RowPage):
            return None
        found |= {row.conv: row for row in answer.rows if row.owner == agent and "transfer" in row.verbs}
        if not answer.rows or (page + 1) * PAGE >= answer.total:
            break
    return tuple(found.values())


def alert_seen(screen: Monitor) -> None:
    """`x`: the alert under the cursor, else the first that is open."""
    found = alerts.alerts(screen.known, screen.place.at(), screen.place.seen_alerts)
    # What is over is forgotten: the same thing happening again is a new alert.
    screen.place.seen_alerts &= {one.key for one in found}
    _, alert = screen.chosen()
    if alert is None or alert.is_seen:
        alert = next((one for one in found if one.shown_weight), None)
    if alert is None:
        screen.say("No alert is open.")
        return
    screen.place.seen_alerts.add(alert.key)
    screen.show_all()


def settled(screen: Monitor, act: Act, answer: Answer) -> None:
    """The bridge answered what was posted: a refusal is said, the floor is asked for anew."""
    if isinstance(answer, Refusal):
        screen.say(answer.sentence)
    elif isinstance(act, Transfer):
        screen.fetch_soon()


def post(screen: Monitor, act: Act) -> bool:
    """On its way; false if there is no link object or the disk is full."""
    if screen.place.link is None:
        return False
    try:
        screen.place.link.post(act)
    except OSError:
        screen.say(DISK_FULL)
        return False
    return True


def _id(screen: Monitor) -> str:
    return screen.place.link.new_id() if screen.place.link is not None else ""


def _name(row: Row) -> str:
    return clean_line(row.name, 60) or row.number


def _count(number: int) -> str:
    return "1 conversation" if number == 1 else f"{number} conversations"


ACTS: dict[str, Callable[[Monitor], None]] = {
    "force_state": force_state,
    "assign": assign,
    "give_now": give_now,
    "alert_seen": alert_seen,
}

"""What each action of the key table does in the workstation.

The law: an action does what its row allows, and says why where it does not; every change is a command with what was shown
frozen in, posted through the outbox.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent_tui.model import deeds
from agent_tui.model.clean import clean_line
from agent_tui.panes.lines import LineList
from agent_tui.screens import asking, being, joining, later, looking, offering
from agent_tui.screens.writing_desk import DISK_FULL
from broker_bridge.contract.commands import Accept, Act, Decline, Done, Note, Refusal, Reply, See
from broker_bridge.contract.views import Answer, Refused, Row

if TYPE_CHECKING:
    from collections.abc import Hashable

    from agent_tui.screens.workstation import Workstation

NO_CONVERSATION = "No conversation is open."


def do(screen: Workstation, name: str) -> bool:
    """Perform the action; False = nobody here knows it."""
    found = ACTS.get(name)
    if found is None:
        return False
    found(screen)
    return True


def post(screen: Workstation, act: Act) -> bool:
    """On disk and on its way; false if the disk is full."""
    if screen.place.link is None:
        return False
    try:
        screen.place.link.post(act)
    except OSError:
        screen.say(DISK_FULL)
        return False
    if not screen.place.is_up and not isinstance(act, Reply | Note):
        screen.say(f"{deeds.called(act).capitalize()}: waits for the link.")
    return True


def new_id(screen: Workstation) -> str:
    """The id of a new command; empty before there is a link object."""
    return screen.place.link.new_id() if screen.place.link is not None else ""


def allowed(screen: Workstation, verb: str, row: Row | None = None) -> Row | None:
    """The row that the key acts on if it allows `verb`, else None with a sentence why."""
    row = row or screen.target
    if row is None:
        screen.say(NO_CONVERSATION)
        return None
    if verb in row.verbs:
        return row
    who = clean_line(row.name, 60) or row.number
    screen.say(f"{who}: you cannot {deeds.WORDS.get(verb, verb)} now, it is {deeds.where(row)}.")
    return None


def accepted_by_key(screen: Workstation) -> Row | None:
    """Whom `accept` takes: the row under the cursor if it can be taken, else the offer in sight."""
    target = screen.target
    is_target = target is not None and "accept" in target.verbs and not screen.desk.has_focus
    return target if is_target else screen.ringing.meant()


def answerable(screen: Workstation, verb: str, row: Row | None) -> Row | None:
    """The offer that a key answers; one that ended under the finger is said so, and no other takes its place."""
    missed = screen.ringing.missed() if row is None else ""
    if missed:
        screen.say(f"{missed}: it is not offered to you any more.")
        return None
    return allowed(screen, verb, row)


def _accept(screen: Workstation) -> None:
    row = answerable(screen, "accept", accepted_by_key(screen))
    if row is not None and post(screen, deeds.accept(new_id(screen), row)):
        screen.asked.add(row.conv)
        answered(screen, row)


def answered(screen: Workstation, row: Row) -> None:
    """The next offer comes up at once."""
    screen.ringing.answered.add(row.conv)
    screen.sight.offer()


def declined_by_key(screen: Workstation) -> Row | None:
    """Whom `decline` sends away: the ringing row under the cursor, else the offer in sight."""
    target = screen.target
    is_target = target is not None and target.state == "ringing" and not screen.desk.has_focus
    return target if is_target else screen.ringing.meant()


def _decline(screen: Workstation) -> None:
    row = answerable(screen, "decline", declined_by_key(screen))
    if row is not None and post(screen, deeds.decline(new_id(screen), row)):
        answered(screen, row)


def opened(screen: Workstation) -> Row | None:
    """The target, opened if it was not."""
    row = screen.target
    if row is None:
        screen.say(NO_CONVERSATION)
        return None
    if screen.reading.opened is None or screen.reading.opened.conv != row.conv:
        screen.open(row)
    return row


def _write(screen: Workstation, mode: str) -> None:
    if allowed(screen, mode) is None:
        return
    if opened(screen) is not None:
        screen.uncover("thread")
        screen.desk.focus(mode)
        see(screen)


def see(screen: Workstation) -> None:
    """Tell the bridge once that the owner looked at what is new."""
    found = screen.reading.opened
    if found is None or not found.is_loaded or not screen.place.is_up:
        return
    row = screen.listing.row(found.conv) or found.row
    mark = (row.conv, found.newest_seq)
    if row.unread and row.state == "mine" and mark not in screen.seen:
        screen.seen.add(mark)
        post(screen, deeds.see(new_id(screen), row))


def _simple(verb: str, make: Callable[[str, Row], Act]) -> Callable[[Workstation], None]:
    def act(screen: Workstation) -> None:
        row = allowed(screen, verb)
        if row is not None:
            post(screen, make(new_id(screen), row))

    return act


def _channel(screen: Workstation) -> None:
    if opened(screen) is None or screen.reading.opened is None:
        return
    way = screen.reading.opened.choose_next()
    if way is None or len(screen.reading.opened.reach) < 2:
        screen.say("There is one way to answer here.")
    screen.desk.show()


def _send_again(screen: Workstation) -> None:
    row = allowed(screen, "send_again")
    found = screen.reading.opened
    if row is None or found is None:
        return
    failed = [item for item in found.items if item.delivery in ("failed", "unknown")]
    if failed:
        post(screen, deeds.send_again(new_id(screen), row, failed[-1].id))
    else:
        screen.say("Nothing failed here.")


def _send(screen: Workstation) -> None:
    if screen.desk.writer.stopped is not None and screen.desk.enter_sends:
        # The new words are on the screen now; the next press sends, having seen them.
        screen.desk.writer.forget_stop()
        screen.sight.thread()
        return
    screen.desk.send()


def _send_next(screen: Workstation) -> None:
    if screen.desk.send(and_next=True):
        looking.go_next(screen)


def _send_anyway(screen: Workstation) -> None:
    if screen.desk.writer.stopped is not None:
        screen.desk.send(anyway=True)


def _read_new(screen: Workstation) -> None:
    screen.set_focus(screen.thread.list)
    screen.thread.list.action_last()


def _newline(screen: Workstation) -> None:
    if screen.desk.writing is not None:
        screen.desk.writing.insert("\n")


def _move(how: str, *args: int) -> Callable[[Workstation], None]:
    def act(screen: Workstation) -> None:
        if isinstance(screen.focused, LineList):
            getattr(screen.focused, f"action_{how}")(*args)
            screen.want_more()

    return act


def settled(screen: Workstation, act: Act, answer: Answer) -> None:
    """The bridge answered: words come back, the next conversation opens, a refusal is said."""
    screen.desk.settled(act, answer)
    joining.settled(screen, act, answer)
    if isinstance(act, Accept | Decline) and isinstance(answer, Refusal):
        # Nothing came of it: it may be answered again, and getting it some other way is news again.
        screen.ringing.answered.discard(act.conversation)
        screen.asked.discard(act.conversation)
        screen.sight.offer()
    screen.wrapping.settled(act, answer)
    asking.transfer_settled(screen, act, answer)
    screen.todo.settled(act, answer)
    is_said = not isinstance(act, See) and not isinstance(answer, Refused)
    if isinstance(answer, Refusal) and is_said and answer.code != "changed":
        screen.say(answer.sentence)
    if isinstance(answer, Refusal) and answer.code == "changed":
        _say_stopped(screen, act)
    if isinstance(answer, Done) and act.conversation in screen.asked:
        screen.asked.discard(act.conversation)
        row = screen.listing.row(act.conversation)
        if row is not None and not screen.desk.has_focus and screen.listing.view == "queue":
            looking.go_to(screen, row)  # It leaves this list: with the focus there no key would mean it.
        elif row is not None and not screen.desk.has_focus:
            screen.inbox.list.select(row.conv)
            screen.open(row)
    if isinstance(answer, Done) and answer.conversation:
        row = screen.listing.row(answer.conversation)
        if row is not None and not screen.desk.has_focus:
            looking.go_to(screen, row)


def _say_stopped(screen: Workstation, act: Act) -> None:
    """A reply was stopped in a conversation that is not in sight: without a word nobody would notice."""
    opened = screen.reading.opened
    is_open = opened is not None and opened.conv == act.conversation
    if not is_open:
        row = screen.listing.row(act.conversation)
        who = row.name if row is not None else "A customer"
        screen.say(f"{who} wrote before your reply left: it was not sent. Open the conversation to read and send.")


def open_beside(screen: Workstation, key: Hashable) -> None:
    """Enter on a row of the profile or the timeline: its case or its file."""
    if not isinstance(key, tuple) or not key:
        return
    if key[0] == "file":
        asking.open_file(screen, str(key[-1]))
        return
    if key[0] in ("case", "moment") and key[-1]:
        joining.lead_to(screen, str(key[-1]))


ACTS: dict[str, Callable[[Workstation], None]] = {
    "accept": _accept,
    "decline": _decline,
    "decline_saying": offering.decline_saying,
    "reply": lambda screen: _write(screen, "reply"),
    "note": lambda screen: _write(screen, "note"),
    "transfer": asking.transfer,
    "take_back": _simple("take_back", deeds.take_back),
    "confirm": _simple("confirm", deeds.confirm),
    "end_consult": _simple("end_consult", deeds.end_consult),
    "merge": joining.merge,
    "keep_apart": joining.keep_apart,
    "unmerge": joining.unmerge,
    "split": joining.split,
    "observe": joining.observe,
    "prioritize": joining.prioritize,
    "channel": _channel,
    "close": lambda screen: screen.wrapping.close(),
    "close_next": lambda screen: screen.wrapping.close_next(),
    "reopen": _simple("reopen", deeds.reopen),
    "send_again": _send_again,
    "search": asking.search,
    "waits": asking.waits,
    "take_reply_back": asking.take_reply_back,
    "open_item": asking.open_item,
    "save_file": asking.save_item,
    "raw": asking.raw,
    "presence": being.choose,
    "help": asking.help_,
    "command": asking.command,
    "quit": asking.quit_,
    "monitor": asking.monitor,
    "send": _send,
    "send_next": _send_next,
    "send_anyway": _send_anyway,
    "read_new": _read_new,
    "newline": _newline,
    "cursor_down": _move("move", 1),
    "cursor_up": _move("move", -1),
    "page_down": _move("page", 1),
    "page_up": _move("page", -1),
    "top": _move("first"),
    "bottom": _move("last"),
    **looking.ACTS,
    **later.ACTS,
}

"""Actions that make one case of two, or two of one, and those that ask for one line: follow, priority.

The law: a case that was merged leads to where it goes on; every way in has its way back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_tui.model import deeds, merge_lines
from agent_tui.model.clean import clean_line
from agent_tui.model.event_lines import is_merged_in
from agent_tui.screens import looking
from broker_bridge.contract.commands import Act, Done, Merge, Refusal, Split, Thread
from broker_bridge.contract.ids import short_number
from broker_bridge.contract.views import Answer, Row, ThreadPage

if TYPE_CHECKING:
    from agent_tui.screens.workstation import Workstation

MOST_HOPS = 5
"""A case that was merged into one that was merged …"""


def merge(screen: Workstation) -> None:
    """With another case, in either direction."""
    from agent_tui.screens import acts

    row = acts.allowed(screen, "merge")
    if row is None:
        return
    from agent_tui.screens.merging import Merged, Merging

    opened = screen.reading.opened
    is_open = opened is not None and opened.conv == row.conv and opened.is_loaded
    count = merge_lines.counted(opened.items, opened.has_more) if opened is not None and is_open else ""
    profile = screen.reading.profile if is_open else None

    def given(found: Merged | None) -> None:
        if found is not None:
            acts.post(screen, deeds.merge(acts.new_id(screen), found.conv, found.into, found.epoch))

    screen.app.push_screen(Merging(screen.place, row, profile, count), given)


def keep_apart(screen: Workstation) -> None:
    """No to what it may belong to: nobody is asked again."""
    from agent_tui.screens import acts

    row = acts.allowed(screen, "keep_apart")
    if row is not None and acts.post(screen, deeds.keep_apart(acts.new_id(screen), row)):
        again = screen.keys.shown("merge")
        screen.say(f"#{short_number(row.suggestion)} is another case; {again} merges them all the same.")


def unmerge(screen: Workstation) -> None:
    """A case that went into another one is a case of its own again."""
    from agent_tui.screens import acts

    row = acts.allowed(screen, "unmerge")
    if row is None:
        return
    if row.state == "merged":
        _take_out(screen, row.conv, row.number)
        return
    found = _merged_in(screen, row)
    if not found:
        screen.say("It is not known which case was merged in.")
    elif len(found) == 1:
        _take_out(screen, *found[0])
    else:
        from agent_tui.screens.choose import Choose

        def given(place: int | None) -> None:
            if place is not None:
                _take_out(screen, *found[place])

        options = tuple((f"#{number}", "") for _, number in found)
        screen.app.push_screen(Choose(screen.place, "Take out again", options), given)


def _merged_in(screen: Workstation, row: Row) -> list[tuple[str, str]]:
    """(conversation, number) of the cases that went into this one; the one under the cursor alone if it says so."""
    under = looking.item_under(screen) if screen.where == "thread" else None
    found = [(conv, clean_line(number, 12)) for conv, number in row.merged]
    if under is not None and is_merged_in(under):
        return [one for one in found if one[1] == clean_line(under.case, 12)] or found
    return found


def _take_out(screen: Workstation, conv: str, number: str) -> None:
    from agent_tui.screens import acts

    if acts.post(screen, deeds.unmerge(acts.new_id(screen), conv)):
        screen.say(f"#{clean_line(number, 12)} is taken out: a case of its own again.")


def split(screen: Workstation) -> None:
    """This message and all later ones become a case of their own."""
    from agent_tui.screens import acts

    row = acts.allowed(screen, "split")
    item = looking.item_under(screen)
    opened = screen.reading.opened
    if row is None or item is None or opened is None:
        return
    if item.kind not in merge_lines.TALK:
        screen.say("Put the cursor on the first message of the new case: this is none.")
        return
    talk = [one for one in opened.items if one.kind in merge_lines.TALK]
    if item.id == talk[0].id and not opened.has_more:
        screen.say("This is the first message: nothing would stay here.")
        return
    from agent_tui.screens.splitting import Splitting

    after = sum(one.seq > item.seq for one in talk)

    def given(is_sure: bool | None) -> None:
        if is_sure:
            acts.post(screen, deeds.split(acts.new_id(screen), row, item.id))

    screen.app.push_screen(Splitting(screen.place, row, item, after), given)


def observe(screen: Workstation) -> None:
    """Follow a case, or no longer."""
    from agent_tui.screens import acts

    row = acts.allowed(screen, "observe")
    if row is not None and acts.post(screen, deeds.observe(acts.new_id(screen), row)):
        name = clean_line(row.name, 60) or row.number
        again = screen.keys.shown("observe")
        screen.say(f"You no longer follow {name}." if row.is_observed else f"You follow {name}; {again} ends it.")


def prioritize(screen: Workstation) -> None:
    """1 (first) to 9, in one line."""
    from agent_tui.screens import acts

    row = acts.allowed(screen, "prioritize")
    if row is None:
        return
    from agent_tui.screens.splitting import Priority

    def given(priority: int | None) -> None:
        if priority is not None:
            acts.post(screen, deeds.prioritize(acts.new_id(screen), row, priority))

    screen.app.push_screen(Priority(screen.place, row), given)


def settled(screen: Workstation, act: Act, answer: Answer) -> None:
    """After a merge what goes on is opened, after a split what is new."""
    if not isinstance(answer, Done) or screen.desk.has_focus:
        return
    opened = screen.reading.opened
    if isinstance(act, Merge) and opened is not None and opened.conv == act.conversation:
        lead_to(screen, act.into)
    elif isinstance(act, Split) and answer.conversation:
        lead_to(screen, answer.conversation)


def lead_to(screen: Workstation, conv: str) -> None:
    """Opens a case that may not be in any view here; one that was merged leads on."""
    row = screen.listing.row(conv)
    if row is not None and row.state != "merged":
        looking.go_to(screen, row)
    else:
        screen.run_worker(_lead(screen, conv), group="lead", exclusive=True)


async def _lead(screen: Workstation, conv: str) -> None:
    first = ""
    for _ in range(MOST_HOPS):
        row = screen.listing.row(conv)
        if row is None or row.state == "merged":
            answer = await screen.place.ask(Thread(conversation=conv, limit=1))
            if not isinstance(answer, ThreadPage):
                screen.say(answer.sentence if isinstance(answer, Refusal) else "Without a link it cannot be opened.")
                return
            row = answer.row
        if row.state != "merged" or not row.merged_into:
            if first:
                screen.say(f"#{first} goes on in #{clean_line(row.number, 12)}.")
            looking.go_to(screen, row)
            return
        first = first or clean_line(row.number, 12) or short_number(conv)
        conv = row.merged_into

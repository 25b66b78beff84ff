"""Actions that ask something first: whom to transfer to, why to close, what to look for. Each opens its dialog.

The law: a dialog is imported when it is first opened, and what it gives back becomes a command with the row as it was shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_tui.model import deeds
from agent_tui.model.packet_lines import Kept
from agent_tui.screens import files, looking
from broker_bridge.contract.commands import Act, Note, Refusal, Reply
from broker_bridge.contract.views import Answer, Row

if TYPE_CHECKING:
    from agent_tui.screens.workstation import Workstation


def _allowed(screen: Workstation, verb: str) -> Row | None:
    from agent_tui.screens import acts

    return acts.allowed(screen, verb)


def transfer(screen: Workstation) -> None:
    """To a colleague, a queue or a skill, with what goes along."""
    row = _allowed(screen, "transfer")
    if row is None:
        return
    from agent_tui.screens.transfer import Transferring, Whom

    opened = screen.reading.opened
    seen = opened.newest_seq if opened is not None and opened.conv == row.conv else 0

    def given(whom: Whom | None) -> None:
        from agent_tui.screens import acts

        if whom is None:
            return
        act = deeds.transfer(
            acts.new_id(screen),
            row,
            whom.kind,
            whom.id,
            whom.note,
            skills=whom.skills,
            packet=whom.packet,
            ask_first=whom.ask_first,
            seen=seen or whom.seen,
        )
        if acts.post(screen, act):
            screen.given_away[act.id] = whom.typed
        elif not whom.typed.is_empty:
            screen.handovers[row.conv] = whom.typed

    def keep(kept: Kept) -> None:
        screen.handovers.pop(row.conv, None)
        if not kept.is_empty:
            screen.handovers[row.conv] = kept
            screen.say("What you wrote for this transfer is kept for the next time.")

    screen.app.push_screen(Transferring(screen.place, row, kept=screen.handovers.get(row.conv), keep=keep), given)


def transfer_settled(screen: Workstation, act: Act, answer: Answer) -> None:
    """The bridge took it, or did not: then what was typed stands in the dialog again."""
    typed = screen.given_away.pop(act.id, None)
    if typed is not None and not typed.is_empty and isinstance(answer, Refusal):
        screen.handovers.setdefault(act.conversation, typed)


def search(screen: Workstation) -> None:
    """By text, name or address; without a link in the rows that are here."""
    from agent_tui.screens.searching import Found, Searching

    def given(found: Found | None) -> None:
        if found is not None:
            screen.listing.found = found.rows
            screen.listing.choose("found")
            screen.sight.inbox()
            looking.go_to(screen, found.row)

    screen.app.push_screen(Searching(screen.place), given)


def waits(screen: Workstation) -> None:
    """What waits for the link, with a key to take it back."""
    from agent_tui.screens.waiting import Waiting

    def given(id: str | None) -> None:
        if id is not None:
            _take_back(screen, id)

    screen.app.push_screen(Waiting(screen.place), given)


def take_reply_back(screen: Workstation) -> None:
    """The newest reply or note of this conversation that waits."""
    row = screen.target
    acts = [act for act in screen.place.waits_for(row.conv if row is not None else "") if isinstance(act, Reply | Note)]
    if not acts:
        screen.say("Nothing of this conversation waits here.")
        return
    _take_back(screen, acts[-1].id)


def _take_back(screen: Workstation, id: str) -> None:
    act = screen.place.outbox.take_back(id)
    if act is None:
        screen.say("It may be on its way already: it cannot be taken back.")
        return
    if isinstance(act, Reply | Note):
        screen.desk.give_back(act)
        screen.say("Taken back: the words are in the composer again.")
    else:
        screen.say(f"Taken back: {deeds.called(act)}.")
    screen.sight.all()


def open_item(screen: Workstation) -> None:
    """A file of the message, or the whole message."""
    key = screen.query_one("#profile-list").cursor if screen.where == "side" else None  # type: ignore[attr-defined]
    if isinstance(key, tuple) and key[0] == "file":
        open_file(screen, str(key[-1]))
        return
    item = looking.item_under(screen)
    if item is None:
        return
    if item.files:
        files.choose(screen, item.files, files.open_file)
    else:
        files.whole(screen, item, raw=False)


def save_item(screen: Workstation) -> None:
    """A file of the message, into the downloads folder."""
    key = screen.query_one("#profile-list").cursor if screen.where == "side" else None  # type: ignore[attr-defined]
    item = looking.item_under(screen)
    profile = screen.reading.profile
    known = profile.files if profile is not None else ()
    if isinstance(key, tuple) and key[0] == "file":
        files.choose(screen, tuple(one for one in known if one.digest == key[-1])[:1], files.save_file)
    elif item is not None and item.files:
        files.choose(screen, item.files, files.save_file)
    else:
        screen.say("No file here.")


def open_file(screen: Workstation, digest: str) -> None:
    """A file of the profile."""
    profile = screen.reading.profile
    known = tuple(one for one in (profile.files if profile is not None else ()) if one.digest == digest)
    if known:
        files.choose(screen, known[:1], files.open_file)


def raw(screen: Workstation) -> None:
    """What was sent, byte for byte, cleaned for the eye."""
    item = looking.item_under(screen)
    opened = screen.reading.opened
    if item is not None and not item.has_raw and opened is not None:
        item = next((one for one in reversed(opened.items) if one.has_raw), item)
    if item is None or not item.has_raw:
        screen.say("Nothing raw is kept of this.")
        return
    files.whole(screen, item, raw=True)


def help_(screen: Workstation) -> None:
    """Every key, by group."""
    from agent_tui.screens.helping import Helping

    screen.app.push_screen(Helping(screen.place, screen.keys, screen.where, is_lead(screen)))


def command(screen: Workstation) -> None:
    """The palette: everything by name."""
    from agent_tui.screens.commanding import Commanding

    def given(name: str | None) -> None:
        from agent_tui.screens import acts

        if name is None:
            return
        if name.startswith("theme:"):
            looking.set_theme(screen, name.removeprefix("theme:"))
        elif name.startswith("open:"):
            row = screen.listing.row(name.removeprefix("open:"))
            if row is not None:
                looking.go_to(screen, row)
        else:
            acts.do(screen, name)

    screen.app.push_screen(Commanding(screen.place, screen.keys, screen.target, is_lead(screen)), given)


def quit_(screen: Workstation) -> None:
    """At once when nothing is open; otherwise it says what is kept."""
    screen.desk.leave()
    drafts = len(screen.place.drafts.all())
    waits_ = len(screen.place.outbox.waiting)
    if not drafts and not waits_:
        screen.app.exit()
        return
    from agent_tui.screens.leaving import Leaving

    def given(is_sure: bool | None) -> None:
        if is_sure:
            screen.app.exit()

    screen.app.push_screen(Leaving(screen.place, drafts, waits_), given)


def monitor(screen: Workstation) -> None:
    """A supervisor's floor, queues, alerts and silent reading."""
    if not is_lead(screen):
        screen.say("The monitor is for supervisors.")
        return
    from agent_tui.screens.monitor import Monitor

    screen.app.push_screen(Monitor(screen.place, screen.keys))


def is_lead(screen: Workstation) -> bool:
    """Supervisors and admins."""
    me = screen.place.state.me
    return me is not None and me.role in ("supervisor", "admin")

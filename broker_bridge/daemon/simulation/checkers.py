"""The promises, asked of a whole history: what the log, the provider, the audit and every bridge say must be one story.

Law: a checker believes the books of the world and the broker's streams, never a counter of the bridge. Every broken promise is one
sentence that names what broke it; promises by number as in the design (promises.md).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract import ids
from broker_bridge.contract.views import Row
from broker_bridge.contract.words import opened
from broker_bridge.core import delivery
from broker_bridge.daemon.audit import Record
from broker_bridge.daemon.clerk import Dead
from broker_bridge.daemon.ledger import Ledger
from broker_bridge.daemon.pen import FAILED
from broker_bridge.daemon.simulation import checkfloor, checkjoins, checkowners, checkwork
from broker_bridge.daemon.simulation.evidence import Evidence, gather
from broker_bridge.daemon.simulation.house import LANES
from broker_bridge.daemon.simulation.provider import CHANNELS
from broker_bridge.daemon.states import CONV

if TYPE_CHECKING:
    from broker_bridge.daemon.simulation.world import World

HAPPENED = "happened: "
"""Begins the names of what the summary shows first."""
_dead = msgspec.json.Decoder(Dead)
_records = msgspec.json.Decoder(Record)


async def check(world: World) -> None:
    """All checkers; what they find is in the world's books."""
    evidence = await gather(world)
    for checker in (
        _every_item_once,
        _items_in_order,
        _nothing_twice_at_the_provider,
        _every_reply_ends,
        _replies_in_order,
        _what_was_promised,
        _audited,
        _drafts_are_kept,
        _books_add_up,
        _one_story,
        _desks_are_true,
        checkowners.one_owner,
        checkowners.transfers_come_back,
        checkowners.one_open_case,
        _nothing_failed,
        checkfloor.capacity,
        checkfloor.offers_fit,
        checkfloor.nobody_waits,
        checkfloor.choices_are_one,
        checkwork.wrap_ups_end,
        checkwork.time_does_it_once,
        checkwork.promises_are_reckoned,
        checkwork.away_replies,
        checkjoins.handles_lead_on,
        checkjoins.nothing_is_lost,
        checkjoins.merged_both_ways,
        checkjoins.drafts_come_along,
    ):
        checker(evidence)
    _count(evidence)


_COUNTED: dict[type[f.Fact], str] = {
    f.Offered: "offers",
    f.Accepted: "accepts",
    f.Transferred: "transfers",
    f.Replied: "replies",
    f.Reopened: "reopened",
    f.Closed: "closes",
    f.Received: "messages",
    f.Opened: "conversations",
    f.TransferAccepted: "transfers taken",
    f.ConsultEnded: "talks without a handover",
    f.WrapUpBegan: "wrap-ups",
    f.Snoozed: "snoozes",
    f.Merged: "merges",
    f.Unmerged: "merges undone",
    f.SplitOff: "splits",
    f.Overflowed: "overflow steps",
    f.TaskAdded: "tasks",
    f.TaskReminded: "reminders",
    f.Targeted: "promises",
    f.Warned: "warnings",
}
_OFFER_ENDS = {"declined": "declines", "expired": "offers timed out", "withdrawn": "offers withdrawn"}


def _count(found: Evidence) -> None:
    """What happened in the history, for whoever wants to know that something did."""
    counts = found.world.books.counts
    for _, _, _, fact in found.facts():
        what = _COUNTED.get(type(fact))
        if isinstance(fact, f.OfferEnded):
            what = _OFFER_ENDS.get(fact.reason, "offers ended otherwise")
        if what is not None:
            what = f"{HAPPENED}{what}"
            counts[what] = counts.get(what, 0) + 1


def _item_of(channel: str, native: str) -> str:
    return ids.derived(channel, channel, native)


def _every_item_once(found: Evidence) -> None:
    """1 and 2: what was acknowledged is there, and nothing is there twice."""
    shown = Counter(opened(fact.words).text for _, _, _, fact in found.facts() if isinstance(fact, f.Received))
    items = Counter(item for _, _, _, fact in found.facts() if (item := getattr(fact, "item", "")))
    dead = found.world.sky.server.streams["DEAD"].messages.values()
    for message in dead:
        found.say(f"1: quarantined although nothing is wrong with it: {_dead.decode(message.body).reason}")
    for spoken in found.world.books.spoken.values():
        item = _item_of(spoken.channel, spoken.native)
        if spoken.acknowledged_s is not None and not items[item]:
            found.say(f"1: acknowledged and lost: {spoken.native}")
        if items[item] > 1:
            found.say(f"2: applied {items[item]} times: {spoken.native}")
        if not spoken.is_receipt and shown[spoken.text] > 1:
            found.say(f"2: shown {shown[spoken.text]} times: {spoken.text}")


def _items_in_order(found: Evidence) -> None:
    """6: what somebody said after an acknowledgment stands behind it."""
    place = {
        fact.item: at
        for at, (_, _, _, fact) in enumerate(found.facts())
        if isinstance(fact, (f.Received, f.CouldNotBeRead))
    }
    by_sender = defaultdict(list)
    for one in found.world.books.spoken.values():
        if not one.is_receipt and one.acknowledged_s is not None:
            by_sender[one.channel, one.address].append(one)
    for said in by_sender.values():
        for first in said:
            for second in said:
                if first.acknowledged_s is None or first.acknowledged_s >= second.began_s:
                    continue
                before, after = (place.get(_item_of(one.channel, one.native)) for one in (first, second))
                if before is not None and after is not None and before > after:
                    found.say(f"6: {second.native} was said after {first.native} and stands before it")


def _nothing_twice_at_the_provider(found: Evidence) -> None:
    """4: a provider was given each reply once, unless a human asked for it again."""
    again = Counter(fact.message for _, _, _, fact in found.facts() if isinstance(fact, f.SentAgain))
    said = {fact.message: opened(fact.words).text for _, _, _, fact in found.facts() if isinstance(fact, f.Replied)}
    claims = Counter(fact.message for _, _, _, fact in found.facts() if isinstance(fact, f.Sending))
    taken = Counter(one.message for one in found.world.books.taken)
    for message, times in taken.items():
        if times > 1 + again[message]:
            found.say(f"4: sent {times} times by the machine: {message}")
        if message not in said:
            found.say(f"4: sent and not in the log: {message}")
        elif not claims[message]:
            found.say(f"4: sent without a claim: {message}")
    texts = Counter(one.text for one in found.world.books.taken)
    for text, times in texts.items():
        allowed = sum(1 + again[message] for message, words in said.items() if words == text)
        if times > allowed:
            found.say(f"4: the same words were sent {times} times: {text}")


def _every_reply_ends(found: Evidence) -> None:
    """5: each reply has an end, and the end is true."""
    taken = {one.message for one in found.world.books.taken}
    told: defaultdict[str, set[type]] = defaultdict(set)
    for _, _, _, fact in found.facts():
        if message := getattr(fact, "message", ""):
            told[message].add(type(fact))
    for state in found.conversations():
        for message in state.out:
            found.say(f"5: no end: {message}")
        for message, end in state.ends.items():
            if end in (delivery.SENT, delivery.DELIVERED, delivery.READ) and message not in taken:
                found.say(f"5: {end} in the log, and the provider never had it: {message}")
            doubtful = {f.Sent, f.SendUnknown, f.Bounced, f.Delivered, f.Read}
            if end == delivery.FAILED and message in taken and not told[message] & doubtful:
                found.say(f"5: failed in the log, and the provider has it: {message}")
    known = {message for state in found.conversations() for message in (*state.ends, *state.out)}
    for _, _, _, fact in found.facts():
        if isinstance(fact, f.Replied) and fact.message not in known:
            found.say(f"5: a reply without a state: {fact.message}")


def _replies_in_order(found: Evidence) -> None:
    """6: the provider got the replies of a conversation in their order, but for those that nobody can know of or that were tried again."""
    odd = {
        fact.message for _, _, _, fact in found.facts() if isinstance(fact, (f.SendUnknown, f.SentAgain, f.SendFailed))
    }
    last: dict[str, int] = {}
    for one in found.world.books.taken:
        if one.message in odd or not one.is_on_time:
            continue
        if one.seq < last.get(one.conversation, 0):
            found.say(f"6: {one.message} reached the provider after a later reply")
        last[one.conversation] = max(one.seq, last.get(one.conversation, 0))


_SILENT_VERBS = ("accept", "see", "wake", "observe", "merge", "unmerge")
"""What may have come true already, and then leaves no entry."""


def _what_was_promised(found: Evidence) -> None:
    """1 and 5 for agents: "accepted" means that it stands in the log, once."""
    done: Counter[str] = Counter()
    by_case = Counter((entry.command, name) for _, kind, name, entry in found.entries if entry.command and kind == CONV)
    for (command, _), times in by_case.items():
        # A merge and a split stand in both of their cases.
        done[command] = max(times, done[command])
    said = {
        fact.message: opened(fact.words).text
        for _, _, _, fact in found.facts()
        if isinstance(fact, (f.Replied, f.Noted))
    }
    for command, times in done.items():
        if times > 1:
            found.say(f"2: a command was done {times} times: {command}")
    for promised in found.world.books.promised.values():
        if promised.verb not in _SILENT_VERBS and not done[promised.command]:
            found.say(f"5: accepted and lost: {promised.verb} {promised.command}")
        if promised.verb in ("reply", "note") and said.get(promised.message or "") != promised.text:
            found.say(f"5: the words of {promised.verb} {promised.command} are not those of {promised.message}")


def _audited(found: Evidence) -> None:
    """8: refusals and silent reads stand in AUDIT, and the chain of each boot has no hole."""
    records = [
        (m.subject, m.body, _records.decode(m.body)) for m in found.world.sky.server.streams["AUDIT"].messages.values()
    ]
    refused = Counter((one.who, one.about, one.code) for _, _, one in records if one.what == "refused")
    read = Counter((one.who, one.about) for _, _, one in records if one.what == "read")
    for what, times in Counter(found.world.books.refused).items():
        if refused[what] < times:
            found.say(f"8: {times} refusals {what} were told and {refused[what]} written down")
    for who, times in Counter(found.world.books.silent).items():
        if read[who] < times:
            found.say(f"8: {times} silent reads {who} were answered and {read[who]} written down")
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for subject, _, one in records:
        numbers[subject].append(one.n)
    for subject, seen in numbers.items():
        if seen != list(range(1, len(seen) + 1)):
            found.say(f"8: the chain of {subject} is {seen[:20]}")


def _nothing_failed(found: Evidence) -> None:
    """A bug in the decision on one case is passed over, for the sake of the others; here it counts."""
    if failed := found.world.books.counts.get(FAILED):
        found.say(f"a bug: {failed} {FAILED}")


def _drafts_are_kept(found: Evidence) -> None:
    """9: the last draft that a terminal was told is kept is there, whatever died since."""
    for (agent, conversation), text in found.world.books.drafts.items():
        kept = found.drafts[f"{agent}.{conversation}"]
        # Behind it may stand what came with a case that a supervisor merged into this one.
        if not kept.startswith(text):
            found.say(f"9: the draft of {agent} in {conversation} is {kept!r}, not {text!r}")


def _books_add_up(found: Evidence) -> None:
    """10: received = stored + quarantined."""
    ledger = Ledger()
    streams = found.world.sky.server.streams
    for one in streams["IN"].messages.values():
        ledger.saw_in(one.seq, one.subject, one.body)
    for one in streams["LOG"].messages.values():
        ledger.saw_log(one.body)
    for one in streams["DEAD"].messages.values():
        ledger.saw_dead(one.body)
    floors = dict.fromkeys(range(LANES), streams["IN"].last_seq)
    for line in ledger.lines(floors, tuple(CHANNELS)):
        if line.gap or line.missing or line.doubled or line.pending:
            found.say(f"10: the books of {line.channel} do not add up: {line}")


def _one_story(found: Evidence) -> None:
    """Every bridge's memory and read model say what the log says."""
    for house in found.world.houses.values():
        for (kind, name), state in found.states.items():
            cell = house.states.cell(kind, name)
            if cell.state != state:
                found.say(f"fold: {house.boot} has another state of {kind} {name}: {_difference(cell.state, state)}")
                break
        if house.model.checksum() != found.rebuilt:
            found.say(f"fold: the read model of {house.boot} is not what the log makes")


def _difference(ours: object, theirs: object) -> str:
    fields = getattr(ours, "__struct_fields__", ())
    return "; ".join(
        f"{name}: {getattr(ours, name)!r} != {getattr(theirs, name)!r}"
        for name in fields
        if getattr(ours, name) != getattr(theirs, name)
    )[:400]


def _plain(row: Row) -> Row:
    return msgspec.structs.replace(row, typing=(), viewers=())


def _desks_are_true(found: Evidence) -> None:
    """What a terminal shows of its own and of the queue is what a fresh look shows."""
    houses = list(found.world.houses.values())
    for agent, terminal in found.world.terminals.items():
        reading = houses[0].reading
        actor = houses[0].staff.actor(agent)
        if actor is None:
            found.say(f"feeds: {agent} is not enrolled")
            continue
        fresh: dict[str, Row] = {}
        for view in ("mine", "queue"):
            fresh |= {name: _plain(reading.row(name, actor)) for name in reading.view_ids(view, actor, 0, 500)[0]}
        shown = {
            row.conv: _plain(row)
            for row in terminal.mirror.rows.values()
            if row.state in ("mine", "ringing", "consult", "snoozed", "wrap_up")
            or (row.state == "queued" and actor.works_on(row.queue))
        }
        for name in fresh.keys() | shown.keys():
            if fresh.get(name) != shown.get(name):
                found.say(
                    f"feeds: {agent} sees another row of {name}: {_rows_differ(shown.get(name), fresh.get(name))}"
                )
                break


def _rows_differ(shown: Row | None, fresh: Row | None) -> str:
    if shown is None or fresh is None:
        return f"shown {shown and shown.state}, fresh {fresh and fresh.state}"
    return _difference(shown, fresh)

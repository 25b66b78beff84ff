"""The promises, asked of a whole history: what the log, the provider, the audit and every bridge say must be one story.

Law: a checker believes the books of the world and the broker's streams, never a counter of the bridge. Every broken promise is one
sentence that names what broke it; promises by number as in the design (promises.md).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from broker_bridge.contract import codec, ids
from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.views import Row
from broker_bridge.contract.words import opened
from broker_bridge.core import conversation as conv
from broker_bridge.core import delivery
from broker_bridge.core.conversation import Conversation
from broker_bridge.daemon.audit import Record
from broker_bridge.daemon.clerk import Dead
from broker_bridge.daemon.drafts import Drafts
from broker_bridge.daemon.follower import Follower
from broker_bridge.daemon.ledger import Ledger
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.simulation.fakebus import FakeBus
from broker_bridge.daemon.simulation.house import LANES, NAMED, SITE_KEY
from broker_bridge.daemon.simulation.loop import Process
from broker_bridge.daemon.simulation.provider import CHANNELS
from broker_bridge.daemon.simulation.shelf import ShelfModel
from broker_bridge.daemon.states import CONV, KINDS, States

if TYPE_CHECKING:
    from broker_bridge.daemon.simulation.world import World

HAPPENED = "happened: "
"""Begins the names of what the summary shows first."""
_dead = msgspec.json.Decoder(Dead)
_records = msgspec.json.Decoder(Record)


@dataclass
class Evidence:
    """A history's log, opened and folded once for all checkers."""

    world: World
    entries: list[tuple[int, str, str, Entry]] = field(default_factory=list)
    """(sequence, aggregate kind, name, entry)."""
    states: dict[tuple[str, str], object] = field(default_factory=dict)
    drafts: dict[str, str] = field(default_factory=dict)
    """Key of the bucket to the words in it."""
    rebuilt: str = ""
    """Checksum of a read model made anew."""

    def say(self, sentence: str) -> None:
        self.world.books.problems.append(sentence)

    def conversations(self) -> list[Conversation]:
        return [state for (kind, _), state in self.states.items() if kind == CONV and isinstance(state, Conversation)]

    def facts(self) -> list[tuple[int, str, Entry, f.AnyFact]]:
        """(sequence, name, entry, fact) of every conversation."""
        return [
            (seq, name, entry, fact) for seq, kind, name, entry in self.entries if kind == CONV for fact in entry.facts
        ]


async def check(world: World) -> None:
    """All checkers; what they find is in the world's books."""
    evidence = await _gather(world)
    for checker in (
        _every_item_once,
        _items_in_order,
        _one_owner,
        _nothing_twice_at_the_provider,
        _every_reply_ends,
        _replies_in_order,
        _what_was_promised,
        _audited,
        _drafts_are_kept,
        _books_add_up,
        _one_story,
        _desks_are_true,
        _capacity,
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


async def _gather(world: World) -> Evidence:
    evidence = Evidence(world)
    bus = FakeBus(world.sky, Process("inspector"))
    sealer = Sealer(SITE_KEY, await bus.kv("keys"))
    log = world.sky.server.streams["LOG"]
    for message in log.messages.values():
        kind, _, name = message.subject.removeprefix("cc.log.").partition(".")
        entry = await sealer.open_entry(codec.entry(message.body))
        evidence.entries.append((message.seq, kind, name, entry))
        if kind in KINDS:
            state = evidence.states.get((kind, name))
            if state is None:
                state = KINDS[kind].begin(name)
            evidence.states[kind, name] = KINDS[kind].fold(state, entry, message.seq)
    drafts = Drafts(await bus.kv("drafts"), sealer)
    for agent, conversation in world.books.drafts:
        draft = await drafts.load(agent, conversation)
        evidence.drafts[f"{agent}.{conversation}"] = draft.text if draft else ""
    model = ShelfModel()
    model.begin_with(await bus.stream_created("LOG"))
    states = States(model, sealer, bus)
    await Follower(model, states, sealer, NAMED).apply(tuple(log.messages.values()))
    evidence.rebuilt = model.checksum()
    model.close()
    return evidence


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


def _one_owner(found: Evidence) -> None:
    """3: owners are counted without a gap, and only the owner writes to the customer."""
    epochs: Counter[str] = Counter()
    folded: dict[str, Conversation] = {}
    handles: dict[str, str] = {}
    for seq, kind, name, entry in found.entries:
        if kind != CONV:
            continue
        state = folded.setdefault(name, conv.begin(name))
        for fact in entry.facts:
            if isinstance(fact, f.Accepted):
                epochs[name] += 1
                if fact.epoch != epochs[name]:
                    found.say(f"3: epoch {fact.epoch} of {name} is the {epochs[name]}. of its owners")
                if entry.by != f"agent:{fact.agent}":
                    found.say(f"3: {entry.by} accepted for {fact.agent}")
            if isinstance(fact, f.Replied) and (state.owner != fact.agent or entry.by != f"agent:{fact.agent}"):
                found.say(f"3: {fact.agent} replied in {name}, which {state.owner or 'nobody'} owned")
            if isinstance(fact, f.Opened):
                if fact.handle in handles and folded[handles[fact.handle]].is_open:
                    found.say(f"3: {fact.handle} has two open conversations")
                handles[fact.handle] = name
        conv.fold(state, entry, seq)


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


_SILENT_VERBS = ("accept", "see")
"""What may have come true already, and then leaves no entry."""


def _what_was_promised(found: Evidence) -> None:
    """1 and 5 for agents: "accepted" means that it stands in the log, once."""
    done = Counter(entry.command for _, kind, _, entry in found.entries if entry.command and kind == CONV)
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


def _drafts_are_kept(found: Evidence) -> None:
    """9: the last draft that a terminal was told is kept is there, whatever died since."""
    for (agent, conversation), text in found.world.books.drafts.items():
        kept = found.drafts[f"{agent}.{conversation}"]
        if kept != text:
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
            if row.state in ("mine", "ringing") or (row.state == "queued" and actor.works_on(row.queue))
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


LAG_S = 1.0
"""What stands in the log for so long a router may be expected to know, whoever wrote it."""


def _capacity(found: Evidence) -> None:
    """The router offers nobody more than their capacity, counting what it offered itself and what others took a while ago."""
    log = found.world.sky.server.streams["LOG"].messages
    places: dict[str, dict[str, tuple[float, str]]] = defaultdict(dict)
    """Agent to conversation to (when the place was taken, by whom)."""
    folded: dict[str, Conversation] = {}
    for seq, kind, name, entry in found.entries:
        if kind != CONV:
            continue
        state = conv.fold(folded.setdefault(name, conv.begin(name)), entry, seq)
        holders = {one for one in (state.owner, state.offer.agent if state.offer else "") if one}
        for agent in list(places):
            if agent not in holders:
                places[agent].pop(name, None)
        for agent in holders:
            places[agent].setdefault(name, (log[seq].at_s, entry.by))
        for fact in entry.facts:
            if isinstance(fact, f.Offered) and entry.by == "router":
                now_s = log[seq].at_s
                known = [
                    one for one, (at_s, by) in places[fact.agent].items() if now_s - at_s > LAG_S or by == "router"
                ]
                if len(known) > found.world.capacity[fact.agent]:
                    found.say(
                        f"capacity: {fact.agent} with room for {found.world.capacity[fact.agent]} "
                        f"was offered the {len(known)}. at entry {seq}"
                    )

"""Facts become the items of a thread: what the read model keeps and a desk shows.

Law: an item is made by one fact and changed by later facts about the same message; `rev` is the sequence of the last of them.
Items are stored as a stranger sees them; `seen_by` turns one for its reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId, MessageId, short_number
from broker_bridge.contract.views import FileLine, Item
from broker_bridge.contract.words import Address, Words, opened
from broker_bridge.core import delivery

MAX_ITEM_TEXT = 20_000
SHOW_SOURCE_TIME_MS = 60_000

ERASED = "erased"


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """How ids are called in a thread."""

    agent: Callable[[AgentId], str]
    word: Callable[[str], str]
    """Channel kind to its word of four letters."""


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """News about an item that exists."""

    message: MessageId
    delivery: str
    reason: str = ""
    only_from: frozenset[str] | None = None
    """States (core.delivery) in which the news counts; None = as the table of moves says."""


def _cut(text: str) -> tuple[str, bool]:
    return (text[:MAX_ITEM_TEXT], True) if len(text) > MAX_ITEM_TEXT else (text, False)


def _files(words: Words) -> tuple[FileLine, ...]:
    return tuple(
        FileLine(
            digest=one.digest,
            name=one.name,
            media_type=one.media_type,
            size_bytes=one.size_bytes,
            is_inline=one.is_inline,
        )
        for one in words.files
    )


def _path(page: str) -> str:
    """`/cards/tariffs` of `https://shop.example/cards/tariffs?x=1`: what an agent needs of a page's address."""
    _, _, rest = page.partition("://")
    path = rest[rest.find("/") :] if "/" in rest else page
    return path.partition("?")[0].partition("#")[0][:200]


def _event(entry: Entry, seq: int, place: int, text: str, agent: AgentId = "", named: Named | None = None) -> Item:
    return Item(
        id=f"{seq}-{place}",
        seq=seq,
        rev=seq,
        kind="event",
        at_ms=entry.at_ms,
        agent=agent,
        name=named.agent(agent) if named and agent else "",
        text=text,
    )


def _received(fact: f.Received, entry: Entry, seq: int, named: Named) -> Item:
    words = opened(fact.words)
    text, is_cut = _cut(ERASED if words.is_erased else words.text)
    late = fact.source_ms is not None and abs(entry.at_ms - fact.source_ms) > SHOW_SOURCE_TIME_MS
    return Item(
        id=fact.message,
        seq=seq,
        rev=seq,
        kind="them",
        at_ms=entry.at_ms,
        source_ms=fact.source_ms if late else None,
        channel=named.word(fact.channel_kind),
        name=words.name or words.address,
        address=words.address,
        text=text,
        is_cut=is_cut,
        quote=words.quote[:MAX_ITEM_TEXT],
        subject=words.subject,
        to=words.to,
        cc=words.cc,
        files=_files(words),
        page=_path(words.page),
        has_raw=bool(fact.raw),
        reason="; ".join(words.warnings[:3]),
    )


def _unreadable(fact: f.CouldNotBeRead, entry: Entry, seq: int, named: Named) -> Item:
    words = opened(fact.words)
    return Item(
        id=fact.message,
        seq=seq,
        rev=seq,
        kind="unreadable",
        at_ms=entry.at_ms,
        channel=named.word(fact.channel_kind),
        name=words.name or words.address,
        address=words.address,
        text=f"could not be read: {fact.reason}",
        subject=words.subject,
        reason=fact.reason,
        has_raw=True,
    )


def _replied(fact: f.Replied, entry: Entry, seq: int, named: Named) -> Item:
    words = opened(fact.words)
    text, is_cut = _cut(ERASED if words.is_erased else words.text)
    return Item(
        id=fact.message,
        seq=seq,
        rev=seq,
        kind="colleague",
        at_ms=entry.at_ms,
        channel=named.word(fact.channel_kind),
        agent=fact.agent,
        name=named.agent(fact.agent) if fact.agent else f"answered by itself: {fact.automatic}",
        is_automatic=bool(fact.automatic),
        text=text,
        is_cut=is_cut,
        subject=words.subject,
        to=words.to,
        cc=words.cc,
        files=_files(words),
        delivery=delivery.WORDS[delivery.QUEUED],
    )


def _noted(fact: f.Noted, entry: Entry, seq: int, named: Named) -> Item:
    words = opened(fact.words)
    text, is_cut = _cut(ERASED if words.is_erased else words.text)
    return Item(
        id=fact.message,
        seq=seq,
        rev=seq,
        kind="note",
        at_ms=entry.at_ms,
        agent=fact.agent,
        name=named.agent(fact.agent),
        text=text,
        is_cut=is_cut,
        note_to=named.agent(fact.to) if fact.to else "",
        note_to_agent=fact.to or "",
    )


def _passed_on(fact: f.Transferred, entry: Entry, seq: int, place: int, named: Named) -> Item | None:
    """A transfer's word along the way, and its packet, is a note for whoever gets it, to be read whole."""
    words = opened(fact.words)
    if not words.text and words.packet is None:
        return None
    text, is_cut = _cut(words.text or _where_to(fact, named))
    return Item(
        id=f"{seq}-{place}",
        seq=seq,
        rev=seq,
        kind="note",
        at_ms=entry.at_ms,
        agent=fact.agent,
        name=named.agent(fact.agent),
        text=text,
        is_cut=is_cut,
        packet=words.packet,
        note_to=_target(fact, named),
        note_to_agent=fact.to_agent or "",
    )


def _target(fact: f.Transferred, named: Named) -> str:
    if fact.to_agent:
        return named.agent(fact.to_agent)
    if fact.to_skills:
        return "whoever knows " + " and ".join(f"{one.name} {one.level}" for one in fact.to_skills)
    return f"the queue {fact.to_queue}"


def _where_to(fact: f.Transferred, named: Named) -> str:
    verb = "asks" if fact.is_consult else "transfers it to"
    return f"{named.agent(fact.agent)} {verb} {_target(fact, named)}"


def _offer_ended(fact: f.OfferEnded, named: Named) -> str:
    said = opened(fact.words).text
    return f"{named.agent(fact.agent)}: offer {fact.reason}" + (f": {said}" if said else "")


def _closed(fact: f.Closed, named: Named) -> str:
    words = opened(fact.words)
    return f"{named.agent(fact.agent)} closed it" + _outcome(fact.disposition, words, fact.tags)


def _outcome(disposition: str, words: Words, tags: tuple[str, ...]) -> str:
    fields = "".join(f", {name} {value}" for name, value in words.fields)
    marked = "".join(f", {tag}" for tag in tags)
    return (f": {disposition}" if disposition else "") + fields + marked + (f". {words.text}" if words.text else "")


def _wrapped_up(fact: f.WrappedUp, named: Named) -> str:
    who = "time is up" if fact.is_timeout else named.agent(fact.agent)
    return f"{who}: outcome" + _outcome(fact.disposition, opened(fact.words), fact.tags).replace(": ", " ", 1)


def _overflowed(fact: f.Overflowed, named: Named) -> str:
    what = f"asks {fact.widen} less of every skill" if fact.widen else f"moves to the queue {fact.to_queue}"
    return f"waited {fact.waited_s} s: " + (f"alarm: {fact.alarm}" if fact.alarm else what)


def _task_added(fact: f.TaskAdded, named: Named) -> str:
    words = opened(fact.words)
    kind = "call back" + (f" {words.address}" if words.address else "") if fact.what == "call_back" else "task"
    whom = f" for {named.agent(fact.assignee)}" if fact.assignee else ""
    return f"{named.agent(fact.agent)}: {kind}{whom}" + (f": {words.text}" if words.text else "")


def _task_done(fact: f.TaskDone, named: Named) -> str:
    note = opened(fact.words).text
    how = "dropped" if fact.is_dropped else "done"
    return f"{named.agent(fact.agent)}: task {how}" + (f": {note}" if note else "")


def _queued(fact: f.Queued, named: Named) -> str:
    is_silent = not fact.reason or fact.reason in ("transferred", "the customer wrote again")
    return "" if is_silent else f"back to the queue {fact.queue}: {fact.reason}"


def _consult_ended(fact: f.ConsultEnded, named: Named) -> str:
    why = f": {fact.reason}" if fact.reason else ""
    return f"the talk with {named.agent(fact.agent)} is over{why}"


def _reopened(fact: f.Reopened, named: Named) -> str:
    return f"{named.agent(fact.agent)} reopened it" if fact.agent else "reopened: the customer wrote again"


def _snoozed(fact: f.Snoozed, named: Named) -> str:
    return f"{named.agent(fact.agent)} snoozed it" + ("" if fact.until_ms else " until they answer")


def _woken(fact: f.Woken, named: Named) -> str:
    return f"{named.agent(fact.agent)} woke it" if fact.agent else "awake again: its time came"


_EVENTS: Mapping[type[f.Fact], Callable[[Any, Named], str]] = {
    f.Accepted: lambda fact, named: f"{named.agent(fact.agent)} took it",
    f.Transferred: _where_to,
    f.OfferEnded: _offer_ended,
    f.TransferAccepted: lambda fact, named: f"{named.agent(fact.agent)} said yes",
    f.ConsultEnded: _consult_ended,
    f.Closed: _closed,
    f.WrappedUp: _wrapped_up,
    f.Reopened: _reopened,
    f.Queued: _queued,
    f.Suggested: lambda fact, named: f"may belong to another case: {fact.reason}",
    f.KeptApart: lambda fact, named: (
        f"{named.agent(fact.agent)}: it does not belong to #{short_number(fact.conversation)}"
    ),
    f.DeliveredAgain: lambda fact, named: f"the same mail arrived again by {fact.channel}",
    f.Snoozed: _snoozed,
    f.Woken: _woken,
    f.Prioritized: lambda fact, named: f"{named.agent(fact.agent)}: priority {fact.priority}",
    f.Overflowed: _overflowed,
    f.TaskAdded: _task_added,
    f.TaskDone: _task_done,
    f.TaskReminded: lambda fact, named: "a task is due",
    f.MergedFrom: lambda fact, named: f"{named.agent(fact.agent)}: #{fact.number} was merged in",
    f.Unmerged: lambda fact, named: f"{named.agent(fact.agent)} undid the merge",
    f.SplitOff: lambda fact, named: f"{named.agent(fact.agent)} split: later messages go on in #{fact.number}",
    f.SplitFrom: lambda fact, named: f"split from #{fact.number}",
    f.Erased: lambda fact, named: "the customer was erased",
}
"""A short sentence for each fact that is no message; who is not named here, or says nothing, is not shown."""


def _words_of_event(fact: f.Fact, named: Named) -> str:
    tell = _EVENTS.get(type(fact))
    return tell(fact, named) if tell is not None else ""


def made(fact: f.Fact, entry: Entry, seq: int, place: int, named: Named) -> Item | None:
    """The item that a fact adds to the thread, if it adds one. `place`: its position in the entry."""
    if isinstance(fact, f.Received):
        return _received(fact, entry, seq, named)
    if isinstance(fact, f.Replied):
        return _replied(fact, entry, seq, named)
    if isinstance(fact, f.Noted):
        return _noted(fact, entry, seq, named)
    if isinstance(fact, f.CouldNotBeRead):
        return _unreadable(fact, entry, seq, named)
    if isinstance(fact, f.Transferred):
        note = _passed_on(fact, entry, seq, place, named)
        if note is not None:
            return note
    text = _words_of_event(fact, named)
    came_along = isinstance(fact, f.TaskAdded) and any(isinstance(one, f.MergedFrom) for one in entry.facts)
    if not text or came_along:
        # A task that came with a merge was told where it was added, and that line came along too.
        return None
    item = _event(entry, seq, place, text, getattr(fact, "agent", "") or "", named)
    until_ms = getattr(fact, "until_ms", None) if isinstance(fact, f.Snoozed) else getattr(fact, "due_ms", None)
    case = fact.number if isinstance(fact, f.MergedFrom) else ""
    return msgspec.structs.replace(item, until_ms=until_ms, case=case) if until_ms is not None or case else item


_IN_WORK = frozenset({delivery.QUEUED, delivery.SENDING})


def updated(fact: f.Fact) -> Update | None:
    """What a fact says about an earlier message, if anything; `delivery` is a state of core.delivery, to be moved by its table."""
    if isinstance(fact, f.Sending):
        return Update(message=fact.message, delivery=delivery.SENDING)
    if isinstance(fact, f.Sent):
        return Update(message=fact.message, delivery=delivery.SENT)
    if isinstance(fact, f.SendFailed):
        is_final = fact.retry_at_ms is None
        return Update(
            message=fact.message,
            delivery=delivery.FAILED if is_final else delivery.QUEUED,
            reason=fact.reason,
            only_from=_IN_WORK | {delivery.UNKNOWN} if is_final else _IN_WORK,
        )
    if isinstance(fact, f.SendUnknown):
        return Update(
            message=fact.message, delivery=delivery.UNKNOWN, reason=fact.reason or "nobody can know whether it left"
        )
    if isinstance(fact, f.Delivered):
        return Update(message=fact.message, delivery=delivery.DELIVERED)
    if isinstance(fact, f.Read):
        return Update(message=fact.message, delivery=delivery.READ)
    if isinstance(fact, f.Bounced):
        return Update(message=fact.message, delivery=delivery.FAILED, reason=fact.reason)
    if isinstance(fact, f.SentAgain):
        return Update(message=fact.message, delivery=delivery.QUEUED)
    return None


_STATE_OF_WORD = {word: state for state, word in delivery.WORDS.items()}


def changed(item: Item, news: Update, seq: int) -> Item | None:
    """The item after news; None: the news is older than what is known."""
    state = _STATE_OF_WORD.get(item.delivery)
    if state is None or (news.only_from is not None and state not in news.only_from):
        return None
    to = delivery.moved(state, news.delivery)
    if to == state and not (to == delivery.QUEUED and news.reason):
        return None
    return msgspec.structs.replace(item, delivery=delivery.WORDS[to], reason=news.reason, rev=seq)


def seen_by(item: Item, agent: AgentId, masked: Callable[[str], str] | None) -> Item:
    """The item for one reader: their own words are `you`; addresses masked where `masked` is given."""
    if item.kind == "colleague" and item.agent == agent:
        item = msgspec.structs.replace(item, kind="you")
    if item.note_to_agent == agent and agent:
        item = msgspec.structs.replace(item, note_to="you")
    if masked is None or not (item.address or item.to or item.cc):
        return item
    return msgspec.structs.replace(
        item,
        name=masked_name(item.name, item.address, masked),
        address=masked(item.address) if item.address else "",
        to=tuple(masked_address(one, masked) for one in item.to),
        cc=tuple(masked_address(one, masked) for one in item.cc),
    )


def masked_name(name: str, address: str, masked: Callable[[str], str]) -> str:
    """Mail programs like to put the address where the name belongs."""
    return masked(address) if address and address.casefold() in name.casefold() else name


def masked_address(one: Address, masked: Callable[[str], str]) -> Address:
    """An address with the name beside it, both masked."""
    return Address(address=masked(one.address), name=masked_name(one.name, one.address, masked))

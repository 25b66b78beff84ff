"""Facts become the items of a thread: what the read model keeps and a desk shows.

Law: an item is made by one fact and changed by later facts about the same message; `rev` is the sequence of the last of them.
Items are stored as a stranger sees them; `seen_by` turns one for its reader.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId, MessageId
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
        name=named.agent(fact.agent),
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
    """A transfer's word along the way is a note for whoever gets it, to be read whole."""
    words = opened(fact.words)
    if not words.text:
        return None
    text, is_cut = _cut(words.text)
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
        note_to=named.agent(fact.to_agent) if fact.to_agent else f"the queue {fact.to_queue}",
        note_to_agent=fact.to_agent or "",
    )


def _words_of_event(fact: f.Fact, named: Named) -> str:
    """A short sentence for a fact that is no message; empty = not shown."""
    if isinstance(fact, f.Accepted):
        return f"{named.agent(fact.agent)} took it"
    if isinstance(fact, f.Transferred):
        to = named.agent(fact.to_agent) if fact.to_agent else f"the queue {fact.to_queue}"
        return f"{named.agent(fact.agent)} transfers it to {to}"
    if isinstance(fact, f.OfferEnded):
        return f"{named.agent(fact.agent)}: offer {fact.reason}"
    if isinstance(fact, f.Closed):
        note = opened(fact.words).text
        return f"{named.agent(fact.agent)} closed it: {fact.disposition}" + (f". {note}" if note else "")
    if isinstance(fact, f.Reopened):
        return f"{named.agent(fact.agent)} reopened it" if fact.agent else "reopened: the customer wrote again"
    if isinstance(fact, f.Queued) and fact.reason and fact.reason not in ("transferred", "the customer wrote again"):
        return f"back to the queue {fact.queue}: {fact.reason}"
    if isinstance(fact, f.Suggested):
        return f"may belong to another case: {fact.reason}"
    if isinstance(fact, f.DeliveredAgain):
        return f"the same mail arrived again by {fact.channel}"
    if isinstance(fact, f.Erased):
        return "the customer was erased"
    return ""


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
    if not text:
        return None
    return _event(entry, seq, place, text, getattr(fact, "agent", "") or "", named)


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

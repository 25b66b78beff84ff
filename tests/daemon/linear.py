"""Whether what agents were told is one history: LOG is the order in which everything took effect, and every answer must fit into it.

Law: pure, and with a fold of its own, so that a wrong fold of the product is found too. Three things are held: a conversation has
one owner in an epoch and changes hands only as the rules allow; nobody carries (owned and ringing, in cost units) more than they can;
an answer says what LOG says at some moment between question and answer (a refusal: not before what its asker had seen).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry

DONE = "done"
LATE = "late"
NOT_YOURS = "not_yours"
QUEUED, OWNED, CLOSED, GONE = "queued", "owned", "closed", "gone"

_MARKS: dict[str, type[f.Fact]] = {"accept": f.Accepted, "decline": f.OfferEnded, "close": f.Closed}
"""What a command that was done has left in LOG."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One command of an agent and what it was answered, however often it was repeated."""

    agent: str
    verb: str
    """`accept`, `decline` or `close`."""
    id: str
    conversation: str
    after: int
    """The greatest LOG sequence that anybody was told of before the command was said first."""
    seen: int
    """The greatest that its asker was told of, and asked for with `min`."""
    ended_ms: int
    """When the answer had come (the clock of `Entry.at_ms`): what was decided later cannot have been its reason."""
    answer: str
    """`done`, the code of the refusal, or empty: none came, and nothing is known."""
    upto: int = 0
    """Of the answer."""


@dataclass(frozen=True, slots=True)
class _Stand:
    """How a conversation stood from one entry to the next."""

    seq: int
    at_ms: int
    status: str
    owner: str
    asked: tuple[str, ...]


@dataclass(slots=True)
class _Case:
    kind: str = ""
    status: str = QUEUED
    owner: str = ""
    epoch: int = 0
    asked: tuple[str, ...] = ()
    """Who rings."""
    is_consult: bool = False
    talks: str = ""
    """Who was asked for a talk and is in it."""
    owners: dict[int, str] = field(default_factory=dict)
    stands: list[_Stand] = field(default_factory=list)

    @property
    def places(self) -> frozenset[str]:
        """Who carries it."""
        owner = (self.owner,) if self.status == OWNED else ()
        return frozenset((*owner, *self.asked, *((self.talks,) if self.talks else ())))


class History:
    """Fold entries with `add`, then ask `answers`; `broken` and `exceeded` hold a sentence for each rule and each limit that was."""

    def __init__(
        self, capacity: Mapping[str, int], cost: Callable[[str], int] = lambda kind: 1, bosses: Iterable[str] = ()
    ) -> None:
        """`capacity`: units by agent. `cost`: units of a conversation by channel kind. `bosses` may close what is not theirs."""
        self.broken: list[str] = []
        self.exceeded: list[str] = []
        self.load: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        """The greatest load that each agent ever had."""
        self._capacity = capacity
        self._cost = cost
        self._bosses = frozenset(bosses)
        self._cases: dict[str, _Case] = {}
        self._entries: dict[str, list[tuple[int, str, Entry]]] = {}

    def add(self, seq: int, subject: str, entry: Entry) -> None:
        """The next message of LOG; those that are not of a conversation say nothing here."""
        _, _, kind, name = subject.split(".")
        if kind != "conv":
            return
        case = self._cases.setdefault(name, _Case())
        before = case.places
        if entry.command:
            self._entries.setdefault(entry.command, []).append((seq, name, entry))
        for fact in entry.facts:
            self._apply(case, fact, f"{seq} {name}")
        self._weigh(case, before, f"{seq} {name} by {entry.by}")
        case.stands.append(_Stand(seq, entry.at_ms, case.status, case.owner, case.asked))

    def _weigh(self, case: _Case, before: frozenset[str], where: str) -> None:
        units = self._cost(case.kind)
        for agent in before - case.places:
            self.load[agent] -= units
        for agent in sorted(case.places - before):
            self.load[agent] += units
            self.most[agent] = max(self.most[agent], self.load[agent])
            most = self._capacity.get(agent, 0)
            if self.load[agent] > most:
                self.exceeded.append(f"{where}: {agent} carries {self.load[agent]} of {most}")

    def _apply(self, case: _Case, fact: f.AnyFact, where: str) -> None:
        match fact:
            case f.Opened():
                case.kind = fact.channel_kind
                case.status = QUEUED
            case f.Queued():
                case.status, case.owner, case.asked, case.talks = QUEUED, "", (), ""
            case f.Reopened():
                case.status, case.owner = QUEUED, ""
            case f.Offered():
                self._offer(case, fact, where)
            case f.OfferEnded():
                if fact.agent not in case.asked:
                    self.broken.append(f"{where}: an offer to {fact.agent} ended that rang for {case.asked}")
                case.asked = ()
            case f.TransferAccepted():
                case.talks = fact.agent if case.is_consult else case.talks
                case.asked = () if case.is_consult else case.asked
            case f.ConsultEnded():
                case.talks, case.asked = "", ()
            case f.Accepted():
                self._accept(case, fact, where)
            case f.Closed():
                if case.status == CLOSED or fact.agent not in (case.owner, *self._bosses):
                    self.broken.append(f"{where}: {fact.agent} closed what was {case.status}, with {case.owner or '-'}")
                case.status, case.owner, case.asked, case.talks = CLOSED, "", (), ""
            case f.Replied():
                if fact.agent != case.owner:
                    self.broken.append(f"{where}: {fact.agent} replied in what was with {case.owner or '-'}")
            case f.Merged() | f.Erased():
                case.status, case.owner, case.asked, case.talks = GONE, "", (), ""
            case _:
                return

    def _offer(self, case: _Case, fact: f.Offered, where: str) -> None:
        if case.asked and not fact.is_transfer:
            self.broken.append(f"{where}: offered to {fact.agent} while it rings for {case.asked}")
        if case.status != (OWNED if fact.is_transfer else QUEUED):
            self.broken.append(f"{where}: offered to {fact.agent} while it was {case.status}")
        case.asked = (fact.agent, *fact.also)
        case.is_consult = fact.is_consult

    def _accept(self, case: _Case, fact: f.Accepted, where: str) -> None:
        if fact.epoch in case.owners:
            self.broken.append(f"{where}: {fact.agent} and {case.owners[fact.epoch]} own epoch {fact.epoch}")
        elif fact.epoch != case.epoch + 1:
            self.broken.append(f"{where}: epoch {fact.epoch} after {case.epoch}")
        if case.status == OWNED and fact.agent not in (*case.asked, case.talks):
            self.broken.append(f"{where}: {fact.agent} took it from {case.owner} unasked")
        if case.status in (CLOSED, GONE):
            self.broken.append(f"{where}: {fact.agent} took what was {case.status}")
        case.owners.setdefault(fact.epoch, fact.agent)
        case.epoch = max(case.epoch, fact.epoch)
        case.status, case.owner, case.asked, case.talks = OWNED, fact.agent, (), ""

    # answers

    def answers(self, calls: Iterable[Call]) -> list[str]:
        """A sentence for each answer that fits nowhere into LOG."""
        return [problem for call in calls if (problem := self._misfit(call))]

    def _misfit(self, call: Call) -> str:
        what = f"{call.agent} {call.verb} {call.conversation}"
        found = self._entries.get(call.id, [])
        if len(found) > 1:
            return f"{what}: done {len(found)} times, at {[seq for seq, _, _ in found]}"
        if found:
            seq, name, entry = found[0]
            if name != call.conversation or not self._is_marked(entry, call):
                return f"{what}: {seq} says something else"
            if seq <= call.after:
                return f"{what}: stands at {seq}, before it was said (after {call.after})"
        if call.answer == DONE:
            return self._done_misfit(call, what, found[0][0] if found else 0)
        if call.answer and found:
            return f"{what}: refused ({call.answer}), and done at {found[0][0]}"
        if call.answer in (LATE, NOT_YOURS) and not self._was(call, lambda stand: _refuses(stand, call)):
            return f"{what}: refused ({call.answer}) although it could be done all the time from {call.seen} on"
        return ""

    def _done_misfit(self, call: Call, what: str, seq: int) -> str:
        if seq:
            return "" if seq <= call.upto else f"{what}: done at {seq}, told up to {call.upto} only"
        if call.verb != "accept":
            return f"{what}: answered as done, and LOG has nothing of it"
        if not self._was(call, lambda stand: stand.status == OWNED and stand.owner == call.agent):
            return f"{what}: answered as done, and was never theirs from {call.seen} on"
        return ""

    def _was(self, call: Call, is_so: Callable[[_Stand], bool]) -> bool:
        """Whether it stood so at some moment between what the asker had seen and the answer."""
        case = self._cases.get(call.conversation)
        stands = case.stands if case else []
        for place, stand in enumerate(stands):
            is_over = place + 1 < len(stands) and stands[place + 1].seq <= call.seen
            if not is_over and stand.at_ms <= call.ended_ms and is_so(stand):
                return True
        return False

    @staticmethod
    def _is_marked(entry: Entry, call: Call) -> bool:
        mark = _MARKS[call.verb]
        return any(isinstance(fact, mark) and getattr(fact, "agent", "") == call.agent for fact in entry.facts)


def _refuses(stand: _Stand, call: Call) -> bool:
    """Whether a command of this kind is refused as things stand."""
    if call.verb == "accept":
        return stand.status in (CLOSED, GONE) or (
            stand.status == OWNED and stand.owner != call.agent and call.agent not in stand.asked
        )
    if call.verb == "decline":
        return call.agent not in stand.asked
    return stand.status != OWNED or stand.owner != call.agent


def violations(
    log: Sequence[tuple[int, str, Entry]],
    calls: Iterable[Call],
    capacity: Mapping[str, int],
    cost: Callable[[str], int] = lambda kind: 1,
) -> list[str]:
    """Everything that is wrong with a history: (sequence, subject, entry) of LOG in order, and what agents were answered."""
    history = History(capacity, cost)
    for seq, subject, entry in log:
        history.add(seq, subject, entry)
    return history.broken + history.exceeded + history.answers(calls)

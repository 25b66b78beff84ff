"""The way of a case, step by step: each fact that has to do with where it went becomes a line, or changes one that stands.

Law: told in the order of the log; `state` is the case before the fact. How an offer ended stands beside the offer, with its time; of
targets only the last of each kind stands, and those that were missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from broker_bridge.contract import facts as f
from broker_bridge.contract.facts import Entry
from broker_bridge.contract.ids import AgentId
from broker_bridge.contract.words import Private, opened
from broker_bridge.core import why_moves
from broker_bridge.core.state import REPLIES, RESOLUTION, Conversation
from broker_bridge.core.why_terms import GAP, Setting, Step, Told, lasting, needs_in_words

TARGETS = {"first": "first answer", "next": "next answer", RESOLUTION: "the end"}


class Steps:
    """Gathers what `Told` holds."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.told = Told()
        self.ringing: Step | None = None
        self.entry: Entry | None = None
        """The one that is being told."""
        self.kinds: list[type[f.Fact]] = []
        """Facts of the entry that were told already."""
        self.passed_by: AgentId = ""
        """Who passed it on last."""
        self._targets: dict[str, Step] = {}

    def take(self, fact: f.Fact, entry: Entry, state: Conversation) -> None:
        """Tell one fact. `state`: before it."""
        if entry is not self.entry:
            self.entry, self.kinds = entry, []
        tell = TELL.get(type(fact)) or why_moves.TELL.get(type(fact))
        if tell is not None:
            tell(fact, self, state)
        self.kinds.append(type(fact))

    def skip(self, count: int, at_ms: int) -> None:
        """So many entries were not read: what they changed of the steps before is not known, and is said of none."""
        self.told.steps.append(Step(at_ms, GAP, f"{count:,} entries of its log are not looked at"))
        self.told.left_out += count
        self.told.queue_step, self.ringing, self.passed_by = None, None, ""
        for step in self._targets.values():
            step.due_ms = step.warn_ms = None
        self._targets.clear()

    @property
    def at_ms(self) -> int:
        return self.entry.at_ms if self.entry is not None else 0

    @property
    def by(self) -> AgentId:
        """The colleague whose wish it was; empty: the machine."""
        by = self.entry.by if self.entry is not None else ""
        return by.removeprefix("agent:") if by.startswith("agent:") else ""

    def add(self, word: str, text: str, mark: str = "", tone: str = "") -> Step:
        step = Step(self.at_ms, word, text, mark, tone)
        self.told.steps.append(step)
        return step

    def end_ring(self, mark: str, tone: str) -> None:
        """Say beside the offer how it ended, and after how long."""
        if self.ringing is not None:
            self.ringing.mark = f"{mark} after {lasting(round((self.at_ms - self.ringing.at_ms) / 1000))}"
            self.ringing.tone = tone
        self.ringing = None

    def decided(self, how: str, by: AgentId = "") -> None:
        """Something else than the router's choice says where it is now."""
        self.told.how, self.told.by = how, by
        if how != "offer":
            self.told.why, self.told.asked = None, ()

    def target(self, what: str, step: Step | None) -> None:
        """A new promise of a kind stands in the place of the old one, unless that was missed."""
        old = self._targets.pop(what, None)
        if old is not None and old.tone != "late" and old in self.told.steps:
            self.told.steps.remove(old)
        if step is not None:
            self.told.steps.append(step)
            self._targets[what] = step

    def keep(self, what: str, done: str) -> None:
        """The promise was kept, or came late."""
        step = self._targets.get(what)
        if step is None or step.due_ms is None:
            return
        is_late = self.at_ms > step.due_ms
        step.mark, step.tone = f"{done} {'late' if is_late else 'in time'}", "late" if is_late else "ok"
        step.due_ms = None


def _arrived(steps: Steps, state: Conversation, fact: f.Received | f.CouldNotBeRead) -> None:
    word = steps.setting.word(fact.channel_kind)
    if state.messages == 0 and f.SplitFrom not in steps.kinds:
        steps.add("arrived", f"{word} → channel {fact.channel}, a new case", f"#{state.number}")
        _known(steps, fact.handle, fact.channel_kind, fact.words)
    elif fact.handle not in state.handles or not state.handles[fact.handle]:
        steps.add("joined", f"{word} → channel {fact.channel}, goes on in this case")
        _known(steps, fact.handle, fact.channel_kind, fact.words)


def _known(steps: Steps, handle: str, kind: str, words: Private | None) -> None:
    address = opened(words).address
    setting = steps.setting
    proved = setting.proved.get(handle)
    shown = f"{setting.word(kind)} {setting.spelled(kind, address)}" if address else setting.word(kind)
    whose = setting.customer or "a customer without a name"
    if proved:
        steps.add("known", f"{shown} is {whose}, proved", "✓ sure", "ok")
    else:
        steps.add("known", f"{shown} is {whose}, as they say", "? not proved")


def _received(fact: f.Received, steps: Steps, state: Conversation) -> None:
    _arrived(steps, state, fact)
    if state.snooze is not None and not fact.automatic:
        steps.add("woken", "the customer wrote")


def _unreadable(fact: f.CouldNotBeRead, steps: Steps, state: Conversation) -> None:
    _arrived(steps, state, fact)
    steps.add("arrived", f"could not be read, its source is kept: {fact.reason}", "", "near")


def _suggested(fact: f.Suggested, steps: Steps, state: Conversation) -> None:
    number = steps.setting.number_of(fact.conversation)
    other = f"#{number}" if number else "another case"
    steps.add("known", f"may belong to {other}: {fact.reason}", "? a guess")


def _kept_apart(fact: f.KeptApart, steps: Steps, state: Conversation) -> None:
    number = steps.setting.number_of(fact.conversation)
    other = f"#{number}" if number else "the other case"
    steps.add("known", f"{steps.setting.who(fact.agent)}: it does not belong to {other}")


def _queued(fact: f.Queued, steps: Steps, state: Conversation) -> None:
    title = steps.setting.queue(fact.queue)
    steps.told.reason = "" if fact.reason in ("transferred", "the customer wrote again", "split") else fact.reason
    asks = f", asks for {needs_in_words(fact.skills)}" if fact.skills and f.Transferred in steps.kinds else ""
    back = "back to " if steps.told.reason and fact.queue == state.queue else "→ "
    tone = "near" if steps.told.reason else ""
    step = steps.add("queue", f"{back}{title}{asks}", "", tone)
    step.tail = f": {steps.told.reason}" if steps.told.reason else ""
    steps.decided("queued", steps.by)
    steps.told.queue_step = step
    if steps.ringing is not None:
        steps.end_ring("withdrawn", "near")


def _targeted(fact: f.Targeted, steps: Steps, state: Conversation) -> None:
    label = TARGETS.get(fact.what, fact.what)
    if fact.due_ms is None:
        # Its clock stands still, or nothing is promised any more: the old line would tell a time that does not hold.
        text = f"{label}: {fact.because}"
        steps.target(fact.what, Step(steps.at_ms, "target", text) if fact.left_s is not None else None)
        return
    if fact.what != RESOLUTION:
        for what in REPLIES:
            steps.target(what, None)
    text = f"{label}: {fact.because}" if fact.because else f"{label} in {lasting(fact.work_s)}"
    # `due 14:00 = 4 h of work time from 10:00`: the time alone can stand elsewhere.
    due, _, how = fact.because.partition(" = ")
    short = f"{label}: {how}" if due.startswith("due ") and how else ""
    steps.target(fact.what, Step(steps.at_ms, "target", text, due_ms=fact.due_ms, warn_ms=fact.warn_ms, short=short))


def _overflowed(fact: f.Overflowed, steps: Steps, state: Conversation) -> None:
    waited = f"after {lasting(fact.waited_s)}, step {fact.step}"
    if fact.alarm:
        steps.add("overflow", f"{waited}: alarm to the supervisors: {fact.alarm}", "alarm", "near")
    elif fact.widen:
        levels = "1 level" if fact.widen == 1 else f"{fact.widen} levels"
        steps.add("overflow", f"{waited}: {levels} less is asked of every skill", "wider")
    else:
        steps.add("overflow", f"{waited}: moves to {steps.setting.queue(fact.to_queue)}", "moved")


def _replied(fact: f.Replied, steps: Steps, state: Conversation) -> None:
    if fact.automatic:
        steps.add("hours", f"the machine answered: {fact.automatic}")
        return
    for what in REPLIES:
        steps.keep(what, "answered")


def _prioritized(fact: f.Prioritized, steps: Steps, state: Conversation) -> None:
    steps.add("priority", f"{steps.setting.who(fact.agent)}: priority {fact.priority}")


def _snoozed(fact: f.Snoozed, steps: Steps, state: Conversation) -> None:
    until = (
        f"for {lasting(round((fact.until_ms - steps.at_ms) / 1000))}"
        if fact.until_ms is not None
        else "until they answer"
    )
    steps.add("snoozed", f"sleeps with {steps.setting.who(fact.agent)} {until}")


def _woken(fact: f.Woken, steps: Steps, state: Conversation) -> None:
    steps.add("woken", f"by {steps.setting.who(fact.agent)}" if fact.agent else "its time came")


def _closed(fact: f.Closed, steps: Steps, state: Conversation) -> None:
    outcome = f": {fact.disposition}" if fact.disposition else ""
    steps.add("closed", f"by {steps.setting.who(fact.agent)}{outcome}")
    steps.keep(RESOLUTION, "closed")


def _wrapped_up(fact: f.WrappedUp, steps: Steps, state: Conversation) -> None:
    who = "time was up" if fact.is_timeout else steps.setting.who(fact.agent)
    steps.add("outcome", f"{who}: {fact.disposition}" if fact.disposition else who)


def _reopened(fact: f.Reopened, steps: Steps, state: Conversation) -> None:
    if fact.agent:
        steps.add("reopened", f"by {steps.setting.who(fact.agent)}")
        steps.decided("reopened", fact.agent)
    else:
        steps.add("reopened", "the customer wrote again")


def _merged(fact: f.Merged, steps: Steps, state: Conversation) -> None:
    number = steps.setting.number_of(fact.into)
    steps.add("merged", f"{steps.setting.who(fact.agent)}: goes on in {f'#{number}' if number else 'another case'}")
    steps.decided("merged", fact.agent)


def _merged_from(fact: f.MergedFrom, steps: Steps, state: Conversation) -> None:
    steps.add("merged", f"{steps.setting.who(fact.agent)}: #{fact.number} goes on here")


def _unmerged(fact: f.Unmerged, steps: Steps, state: Conversation) -> None:
    steps.add("merged", f"undone by {steps.setting.who(fact.agent)}")


def _split_off(fact: f.SplitOff, steps: Steps, state: Conversation) -> None:
    steps.add("split", f"{steps.setting.who(fact.agent)}: later messages go on in #{fact.number}")


def _split_from(fact: f.SplitFrom, steps: Steps, state: Conversation) -> None:
    steps.add("arrived", f"{steps.setting.who(fact.agent)} split it from #{fact.number}", f"#{state.number}")


TELL: Mapping[type[f.Fact], Callable[[Any, Steps, Conversation], None]] = {
    f.Received: _received,
    f.CouldNotBeRead: _unreadable,
    f.Suggested: _suggested,
    f.KeptApart: _kept_apart,
    f.Queued: _queued,
    f.Targeted: _targeted,
    f.Overflowed: _overflowed,
    f.Replied: _replied,
    f.Prioritized: _prioritized,
    f.Snoozed: _snoozed,
    f.Woken: _woken,
    f.Closed: _closed,
    f.WrappedUp: _wrapped_up,
    f.Reopened: _reopened,
    f.Merged: _merged,
    f.MergedFrom: _merged_from,
    f.Unmerged: _unmerged,
    f.SplitOff: _split_off,
    f.SplitFrom: _split_from,
}
"""What each kind of fact tells; offers and changes of hands: core.why_moves."""

"""Closing a case and writing its outcome: which wrap-ups this desk waits for, and what was typed for them.

The law: a form opens by itself only for a case that was closed here by a key, and never over something that is being
written for another one; what was typed stays until the outcome is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_tui.model import deeds, wrapup_lines
from agent_tui.model.clean import clean_line
from agent_tui.model.desk import Applied
from agent_tui.model.wrapup_lines import Form
from agent_tui.screens import looking
from agent_tui.screens.writing_desk import DISK_FULL
from broker_bridge.contract.commands import Act, Close, Refusal, Thread, WrapUp
from broker_bridge.contract.policy import Disposition
from broker_bridge.contract.views import Answer, Row, ThreadPage

if TYPE_CHECKING:
    from agent_tui.screens.workstation import Workstation
    from agent_tui.screens.wrapup import Ended


class Wrapping:
    """One for each workstation."""

    def __init__(self, screen: Workstation) -> None:
        self._screen = screen
        self._awaited: set[str] = set()
        """Closed here without an outcome; the bridge has not said yet what becomes of it."""
        self._forms: dict[str, Form] = {}
        self._sent: dict[str, tuple[Row, Form]] = {}
        """By the command's id, until the bridge has stored it."""
        self._shown = ""
        """Whose form is open."""
        self._since_ms: dict[str, int] = {}
        self._known: dict[str, tuple[tuple[Disposition, ...], str]] = {}

    # From the keys.

    def close(self) -> None:
        """`e`: the case closes and its queue's wrap-up begins; on a row in wrap-up the form again."""
        from agent_tui.screens import acts

        row = self._screen.target
        if row is not None and row.state == "wrap_up":
            self.open(row)
            return
        row = acts.allowed(self._screen, "close")
        if row is not None:
            self._remember(row)
            if acts.post(self._screen, deeds.close(acts.new_id(self._screen), row, "")):
                self._awaited.add(row.conv)

    def close_next(self) -> None:
        """`E`: closed as last time (the first time as the usual outcome), and the next one opens."""
        from agent_tui.screens import acts

        screen = self._screen
        if screen.target is not None and screen.target.state == "wrap_up":
            self.open(screen.target)
            return
        row = acts.allowed(screen, "close")
        if row is None:
            return
        outcomes, _ = self._remember(row)
        usual = next(
            (one for one in outcomes if one.name == screen.last_disposition), outcomes[0] if outcomes else None
        )
        if usual is None:
            self.close()
        elif usual.fields:
            self._forms.setdefault(row.conv, Form(chosen=outcomes.index(usual)))
            self.open(row)
        elif acts.post(screen, deeds.close(acts.new_id(screen), row, usual.name)):
            screen.last_disposition = usual.name
            looking.go_next(screen, after=row.conv)
            words = clean_line(usual.name, 60)
            screen.say(f"Closed as “{words}”. {screen.keys.shown('reopen')} on it opens it again.")

    # From the feed.

    def changed(self, applied: Applied) -> None:
        """Rows changed: a wrap-up may have begun or ended."""
        rows, now_ms = self._screen.place.state.rows, self._screen.place.now_ms()
        for conv in applied.changed:
            row = rows.get(conv)
            if row is not None and row.state == "wrap_up":
                self._since_ms.setdefault(conv, now_ms)
                if conv in self._awaited:
                    self._awaited.discard(conv)
                    self._open_if_free(row)
            elif row is not None and row.state in ("closed", "merged"):
                self._forget(conv)
                self._over_unseen(row)
        for conv in applied.gone:
            self._forget(conv)
            if conv in applied.before:
                self._over_unseen(applied.before[conv])

    def _forget(self, conv: str) -> None:
        self._awaited.discard(conv)
        self._since_ms.pop(conv, None)

    def _over_unseen(self, row: Row) -> None:
        """It ended while its form was put off: an open form says so by itself."""
        form = self._forms.get(row.conv)
        if form is not None and self._shown != row.conv:
            self._over(row, form, self._outcomes_of(row))

    def settled(self, act: Act, answer: Answer) -> None:
        """The bridge stored the outcome, or did not: then what was typed stands in the form again."""
        row, form = self._sent.pop(act.id, (None, None))
        if not isinstance(answer, Refusal) or not isinstance(act, Close | WrapUp):
            return
        self._awaited.discard(act.conversation)
        if row is None or form is None:
            return
        # Its task is on its way already.
        form.follow_up = ""
        now = self._screen.place.state.rows.get(row.conv)
        if now is None or now.state in ("closed", "merged"):
            self._over(row, form, self._outcomes_of(row))
        else:
            self._forms[row.conv] = form

    def _open_if_free(self, row: Row) -> None:
        screen = self._screen
        opened = screen.reading.opened
        is_writing_other = screen.desk.has_focus and (opened is None or opened.conv != row.conv)
        if screen.app.screen is screen and not is_writing_other:
            self.open(row)
        else:
            key = screen.keys.shown("close")
            screen.say(f"The wrap-up of {clean_line(row.name, 60) or row.number} waits: {key} on it opens the form.")

    # The form.

    def open(self, row: Row) -> None:
        """The form over the desk; what it can end as is fetched first where it is not known."""
        if self._remember(row)[0]:
            self._show(row)
        else:
            self._screen.run_worker(self._fetch(row), group="wrap-up", exclusive=True)

    async def _fetch(self, row: Row) -> None:
        answer = await self._screen.place.ask(Thread(conversation=row.conv, limit=1))
        if isinstance(answer, ThreadPage):
            self._known[row.conv] = (_outcomes(answer.outcomes, answer.dispositions), answer.default_outcome)
        if self._screen.app.screen is self._screen:
            self._show(row)

    def _remember(self, row: Row) -> tuple[tuple[Disposition, ...], str]:
        """What the case can end as, and what is used if nobody chooses: its queue's, as far as its page was here."""
        opened = self._screen.reading.opened
        if opened is not None and opened.conv == row.conv and opened.is_loaded:
            found = _outcomes(opened.outcomes, opened.dispositions), opened.default_outcome
            if found[0]:
                self._known[row.conv] = found
        return self._known.get(row.conv, ((), ""))

    def _outcomes_of(self, row: Row) -> tuple[Disposition, ...]:
        """At least one."""
        known = self._known.get(row.conv, ((), ""))[0]
        return known or _outcomes((), self._screen.place.dispositions) or (Disposition(name="done"),)

    def _show(self, row: Row) -> None:
        from agent_tui.screens.wrapup import WrappingUp

        screen = self._screen
        outcomes, default = self._outcomes_of(row), self._known.get(row.conv, ((), ""))[1]
        self._shown = row.conv
        form = self._forms.setdefault(row.conv, Form())
        since_ms = self._since_ms.setdefault(row.conv, screen.place.now_ms())

        def more() -> None:
            from agent_tui.screens import acts

            acts.post(screen, deeds.more_time(acts.new_id(screen), row))

        def given(ended: Ended | None) -> None:
            self._shown = ""
            if ended is None:
                return
            if ended.is_over:
                self._over(row, form, outcomes, is_seen=True)
            else:
                self._end(row, ended, form)

        screen.app.push_screen(
            WrappingUp(screen.place, row, outcomes, default, form, since_ms=since_ms, more=more), given
        )

    def _over(self, row: Row, form: Form, outcomes: tuple[Disposition, ...], *, is_seen: bool = False) -> None:
        """The time was up, or the case is no longer in wrap-up: what was typed becomes the draft of a note.

        `is_seen`: the form was open, so its end is said even where nothing was typed.
        """
        screen = self._screen
        self._forms.pop(row.conv, None)
        words = wrapup_lines.draft(form, outcomes[min(form.chosen, len(outcomes) - 1)])
        if not words and not is_seen:
            return
        name = clean_line(row.name, 60) or row.number
        now = screen.place.state.rows.get(row.conv)
        is_open = now is not None and now.state not in ("wrap_up", "closed", "merged")
        ended = f"{name} is open again" if is_open else f"The wrap-up time of {name} is up"
        if not words:
            screen.say(f"{ended}.")
            return
        try:
            screen.desk.give_back(deeds.note("", row, words))
        except OSError:
            screen.say(DISK_FULL)
            return
        screen.say(f"{ended}. What you typed is kept as the draft of a note there.")

    def _end(self, row: Row, ended: Ended, form: Form) -> None:
        """The outcome is posted, and the follow-up with it; the next one opens."""
        from agent_tui.screens import acts

        screen = self._screen
        after = looking.next_waiting(screen, row.conv)
        now = screen.place.state.rows.get(row.conv) or row
        make = deeds.wrap_up if row.state == "wrap_up" else deeds.close_with
        act = make(
            acts.new_id(screen), now, ended.disposition, ended.note, ended.fields, ended.tags, and_next=after is None
        )
        if not acts.post(screen, act):
            return
        screen.last_disposition = ended.disposition
        self._forms.pop(row.conv, None)
        self._sent[act.id] = row, form
        if ended.due_ms is not None:
            me = screen.place.state.me
            words = f"Follow up: {ended.note or ended.disposition}"
            task = deeds.add_task(
                acts.new_id(screen), row, text=words, assignee=me.agent if me is not None else "", due_ms=ended.due_ms
            )
            acts.post(screen, task)
        looking.go_next(screen, after=row.conv)


def _outcomes(outcomes: tuple[Disposition, ...], names: tuple[str, ...]) -> tuple[Disposition, ...]:
    """A bridge that knows no fields gives names alone."""
    return outcomes or tuple(Disposition(name=name) for name in names)

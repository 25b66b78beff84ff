"""Follow-up tasks and call-backs of this desk: asked for when the view opens, and again when the feed brings another count.

The law: the bridge's order stands; a task that its reader may not change says so; what is done here is asked for again at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_tui.begin import begin
from agent_tui.model import deeds, task_lines, when
from agent_tui.model.clean import clean_line
from agent_tui.model.desk import Applied
from agent_tui.model.task_lines import VIEWS, TaskRows, Wish
from agent_tui.screens import looking
from broker_bridge.contract.commands import Act, AddTask, ChangeTask, FinishTask, Refusal, Tasks
from broker_bridge.contract.views import Answer, Row, TaskPage, TaskView

if TYPE_CHECKING:
    from agent_tui.panes.lines import LineList
    from agent_tui.screens.tasking import Finished
    from agent_tui.screens.workstation import Workstation


class Todo:
    """One for each workstation."""

    def __init__(self, screen: Workstation) -> None:
        self._screen = screen
        self.view = "mine"
        self._page: TaskPage | None = None
        self._refused: dict[tuple[str, str], AddTask] = {}
        """By conversation and kind."""
        self._counts = (0, 0)

    # What others ask.

    @property
    def is_open(self) -> bool:
        return self._screen.inbox.has_class("-tasks")

    @property
    def list(self) -> LineList:
        return self._screen.inbox.tasks

    @property
    def front(self) -> LineList:
        """The list that is in sight in the inbox pane."""
        return self.list if self.is_open else self._screen.inbox.list

    def chosen(self) -> TaskView | None:
        """The task under the cursor."""
        key = self.list.cursor
        tasks = self._page.tasks if self._page is not None else ()
        return next((task for task in tasks if task.task == key), None)

    def target(self) -> Row | None:
        """The row of its case, as far as it is here."""
        task = self.chosen()
        return self._screen.listing.row(task.conv) if task is not None else None

    # Opening, switching, leaving.

    def open(self) -> None:
        screen = self._screen
        screen.uncover("inbox")
        screen.inbox.add_class("-tasks")
        self._show_view(self.view)
        screen.set_focus(self.list)

    def close(self) -> None:
        """Back to the conversations."""
        self._screen.inbox.remove_class("-tasks")

    def leave(self) -> None:
        self.close()
        looking.view("mine")(self._screen)

    def step(self, by: int) -> None:
        """The next of mine, observed, all, done."""
        self._show_view(VIEWS[(VIEWS.index(self.view) + by) % len(VIEWS)])

    def _show_view(self, view: str) -> None:
        if view != self.view:
            self.view, self._page = view, None
        self.show()
        self._fetch_soon()

    def _fetch_soon(self) -> None:
        begin(self._screen, self._fetch, "tasks")

    async def _fetch(self) -> None:
        view = self.view
        answer = await self._screen.place.ask(Tasks(view=view))
        if isinstance(answer, Refusal):
            self._screen.say(answer.sentence)
        if isinstance(answer, TaskPage) and view == self.view:
            self._page = answer
        self.show()

    def changed(self, applied: Applied) -> None:
        """Another count of tasks came with the feed."""
        me = self._screen.place.state.me
        counts = (me.tasks, me.tasks_due) if me is not None else (0, 0)
        if counts != self._counts:
            self._counts = counts
            if self.is_open:
                self._fetch_soon()

    def settled(self, act: Act, answer: Answer) -> None:
        """A task was added, changed or finished here; one that the bridge refused stands in the form the next time."""
        if isinstance(act, AddTask) and isinstance(answer, Refusal):
            self._refused[act.conversation, act.what] = act
        if isinstance(act, AddTask | ChangeTask | FinishTask) and self.is_open:
            self._fetch_soon()

    # Painting.

    def show(self) -> None:
        """Head and rows, with the clocks of this moment."""
        if not self.is_open:
            return
        place, me = self._screen.place, self._screen.place.state.me
        tasks = self._page.tasks if self._page is not None else ()
        self._screen.inbox.show_tasks(TaskRows(tasks, place.at(), me.agent if me is not None else ""))
        hints = () if tasks else task_lines.empty_lines(self.view, self._page is not None, place.is_up, place.at())
        self._screen.inbox.show_empty(hints)
        self.show_head()

    def show_head(self) -> None:
        if self.is_open:
            count = self._page.total or len(self._page.tasks) if self._page is not None else None
            self._screen.inbox.show_task_head(self.view, count, self._screen.place.at())

    # Acts on the task under the cursor.

    def open_case(self) -> None:
        """Its case, with the focus in it; the list of tasks stays."""
        task = self.chosen()
        if task is None:
            return
        screen = self._screen
        stub = Row(conv=task.conv, rev=0, number=task.case, name=task.customer, state="other")
        screen.open(screen.listing.row(task.conv) or stub)
        screen.uncover("thread")
        screen.set_focus(screen.thread.list)

    def _changeable(self) -> TaskView | None:
        task = self.chosen()
        if task is None:
            self._screen.say("No task is chosen.")
        elif task.is_done or task.is_dropped:
            self._screen.say("It is done already.")
        elif not task.may_change:
            self._screen.say("Only who made it, who has it, who owns the case or a supervisor may change it.")
        else:
            return task
        return None

    def finish(self) -> None:
        """Done, with a note if one is wanted."""
        task = self._changeable()
        if task is None:
            return
        from agent_tui.screens.tasking import Finishing

        def given(finished: Finished | None) -> None:
            if finished is not None:
                self._post(deeds.finish_task(self._new_id(), task, finished.note, is_dropped=finished.is_dropped))

        self._screen.app.push_screen(Finishing(self._screen.place, task.text or task.number), given)

    def edit(self, first: str = "") -> None:
        """All of it anew: words, time, assignee, observers. `first`: the field to begin with; empty: as usual."""
        task = self._changeable()
        if task is None:
            return
        from agent_tui.screens.tasking import Draft, Tasking

        place = self._screen.place
        now_ms = place.now_ms()
        due = when.typed(task.due_ms, place.tz) if task.due_ms is not None and task.due_ms > now_ms else ""
        draft = Draft(
            text=task.text,
            number=task.number,
            assignee=task.assignee,
            due=due,
            observers=", ".join(task.observers),
            first=first,
        )

        def given(wish: Wish | None) -> None:
            if wish is not None:
                # Given to somebody, what is late stays due when it was.
                kept = wish._replace(due_ms=task.due_ms) if first and wish.due_ms is None else wish
                self._post(deeds.change_task(self._new_id(), task, kept))

        about = f"{task.customer} #{task.case}"
        is_call = task.what == "call_back"
        self._screen.app.push_screen(Tasking(place, "Change", about, is_call=is_call, draft=draft), given)

    def add(self, *, is_call: bool) -> None:
        """A new one for the conversation that the key means."""
        from agent_tui.screens import acts
        from agent_tui.screens.tasking import Draft, Tasking

        screen = self._screen
        row = acts.allowed(screen, "add_task")
        if row is None:
            return

        what = "call_back" if is_call else "task"

        def given(wish: Wish | None) -> None:
            if wish is not None:
                self._post(deeds.add_task(self._new_id(), row, what=what, **wish._asdict()))

        about = f"{clean_line(row.name) or row.number}  #{row.number}"
        refused = self._refused.pop((row.conv, what), None)
        draft = Draft(number=self._phone(row) if is_call else "")
        if refused is not None:
            due = when.typed(refused.due_ms, screen.place.tz) if refused.due_ms is not None else ""
            observers = ", ".join(refused.observers)
            draft = Draft(refused.text, refused.number, refused.assignee, due, observers)
        title = "Call back" if is_call else "Task for"
        screen.app.push_screen(Tasking(screen.place, title, about, is_call=is_call, draft=draft), given)

    def _phone(self, row: Row) -> str:
        """The number of the profile, a proved one first."""
        opened, profile = self._screen.reading.opened, self._screen.reading.profile
        if opened is None or opened.conv != row.conv or profile is None:
            return ""
        known = [one for one in profile.identifiers if one.word in ("call", "sms", "wa", "vb")]
        return next((one.address for one in sorted(known, key=lambda one: not one.is_proved)), "")

    def _new_id(self) -> str:
        from agent_tui.screens import acts

        return acts.new_id(self._screen)

    def _post(self, act: Act) -> None:
        from agent_tui.screens import acts

        acts.post(self._screen, act)

"""An event loop without sockets and without waiting: time jumps to the next timer, and the seed decides who runs first.

Law: two callbacks that are ready at the same moment run in an order drawn from the seed where asyncio promises none (tasks that are woken
by what they waited for); what asyncio does promise (tasks begin in the order of their making, timers in the order of their time) is kept.
A `Process` is what a crash ends between two awaits and a pause holds: nothing of it runs any more, not even a `finally`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import heapq
import itertools
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

MAX_STEPS = 400_000
"""A history that takes more does not come to rest."""


class Restless(Exception):
    """The history has no end: too many steps, or nothing left that could happen."""


class Process:
    """One bridge, or one terminal: what lives and dies together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.steps = 0
        self.dies_at = 0
        """Step before which it is killed; 0 = it is not."""
        self.held_since = 0.0
        self.held_until = 0.0
        """Until when it sleeps (virtual seconds)."""
        self.on_death: Callable[[], None] = lambda: None
        self.held: list[asyncio.Handle] = []
        self.context = contextvars.Context()
        self.context.run(OWNER.set, self)

    def kill(self) -> None:
        """As kill -9 would: between two steps, and nothing more is done by it."""
        if self.is_dead:
            return
        self.is_dead = True
        self.held.clear()
        self.on_death()


OWNER: contextvars.ContextVar[Process | None] = contextvars.ContextVar("owner", default=None)
NOBODY = contextvars.Context()
"""The world's own context: what happens there is stopped by no crash."""


class _Task(asyncio.Task[Any]):
    """Tasks with a number: sets of them have an order that does not hang on addresses."""

    def __init__(self, coro: Coroutine[Any, Any, Any], number: int, **how: Any) -> None:
        self.number = number
        super().__init__(coro, **how)

    def __hash__(self) -> int:
        return self.number


class SimLoop(asyncio.BaseEventLoop):
    """The loop of one history. `random` draws the order."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self._dice = random
        self._soon: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = itertools.count(1)
        self._tasks: list[_Task] = []
        self._sleepers: list[Process] = []
        self.is_over = False

    # what asyncio asks of a loop

    def time(self) -> float:
        return self.now

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if not self.is_over:
            self._soon.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self.is_over:
            heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def create_task(self, coro: Any, *, name: Any = None, context: contextvars.Context | None = None) -> Any:
        task = _Task(coro, next(self._numbers), loop=self, name=name or "task", context=context)
        self._tasks.append(task)
        if len(self._tasks) > 2_000:
            self._tasks = [one for one in self._tasks if not one.done()]
        return task

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - the future carries it to whoever waits
            done.set_exception(error)
        return done

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        return None

    def _write_to_self(self) -> None:
        return None

    def _process_events(self, event_list: Any) -> None:
        return None

    # processes

    def start(self, process: Process, coro: Coroutine[Any, Any, Any], name: str = "") -> asyncio.Task[Any]:
        """Run `coro` as part of a process."""
        task: asyncio.Task[Any] = self.create_task(coro, name=name, context=process.context.copy())
        return task

    def hold(self, process: Process, seconds: float) -> None:
        """Stop a process as SIGSTOP would, for a while."""
        process.held_since = self.now
        process.held_until = self.now + seconds
        self.call_at(process.held_until, self._go_on, process, context=NOBODY)

    def release(self, process: Process) -> None:
        """Let a held process go on now."""
        process.held_until = self.now
        self._go_on(process)

    def _go_on(self, process: Process) -> None:
        if self.now < process.held_until or process.is_dead:
            return
        self._soon.extend(process.held)
        process.held.clear()

    # one step

    def _run_once(self) -> None:
        soon = self._soon
        while not soon or (self._timers and self._timers[0][0] <= self.now):
            if not self._timers:
                raise Restless("nothing is left that could happen")
            when, _, timer = heapq.heappop(self._timers)
            if timer.cancelled():
                continue
            if not soon and when > self.now:
                self.now = when
            soon.append(timer)
        handle = self._next(soon)
        if handle.cancelled():
            return
        owner = handle._context.get(OWNER)  # type: ignore[attr-defined]
        if owner is not None and not self._may_run(owner, handle):
            return
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Restless(f"{MAX_STEPS:,} steps and no end, at {self.now:.1f} s")
        handle._run()

    def _next(self, soon: list[asyncio.Handle]) -> asyncio.Handle:
        if len(soon) == 1:
            return soon.pop()
        place = int(self._dice.random() * min(len(soon), 8))
        if place and not _is_waking(soon[place]):
            place = 0
        return soon.pop(place)

    def _may_run(self, owner: Process, handle: asyncio.Handle) -> bool:
        if owner.is_dead:
            return False
        if owner.held_until > self.now:
            owner.held.append(handle)
            return False
        owner.steps += 1
        if owner.dies_at and owner.steps >= owner.dies_at:
            owner.kill()
            return False
        return True

    def end(self) -> None:
        """Drop everything that is still under way, in a fixed order."""
        self.is_over = True
        self._soon.clear()
        self._timers.clear()
        for task in self._tasks:
            if task.done():
                continue
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            with contextlib.suppress(BaseException):
                task.get_coro().close()
        self._tasks.clear()
        self.close()


_WAKING = "wakeup"


def _is_waking(handle: asyncio.Handle) -> bool:
    """Whether this goes on with a task whose wait is over."""
    return "akeup" in getattr(handle._callback, "__name__", type(handle._callback).__name__)  # type: ignore[attr-defined]

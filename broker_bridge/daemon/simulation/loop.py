"""An event loop without sockets and without waiting: time jumps to the next timer, and the seed decides who runs first.

Law: two callbacks that are ready at the same moment run in an order drawn from the seed where asyncio promises none (tasks that are woken
by what they waited for); what asyncio does promise (tasks begin in the order of their making, timers in the order of their time) is kept.
A `Process` is what a crash ends between two awaits and a pause holds: nothing of it runs any more, not even a `finally`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
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
        self.held: list[Call] = []
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


class Call:
    """What is to be called, and as whom: asyncio's handle without what nobody asks for here (a third of a history was spent on it).

    Looked through for garbage, as it stands in rings of tasks and futures: otherwise no world of any history would ever be freed.
    """

    __slots__ = ("args", "callback", "context", "is_off")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.is_off = False

    def cancel(self) -> None:
        self.is_off = True

    def cancelled(self) -> bool:
        return self.is_off


class SimLoop(asyncio.BaseEventLoop):
    """The loop of one history. `random` draws the order."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self._draw = random.random
        self._soon: list[Call] = []
        self._timers: list[tuple[float, int, Call]] = []
        self._numbers = itertools.count(1)
        self._tasks: list[_Task] = []
        self.is_over = False
        # Both are asked for with every future, 2,500 times a history: without a frame of Python each.
        self.create_future = functools.partial(asyncio.Future, loop=self)  # type: ignore[method-assign]
        self.get_debug = bool  # type: ignore[method-assign]

    # what asyncio asks of a loop

    def time(self) -> float:
        return self.now

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> Call:
        call = Call(callback, args, contextvars.copy_context() if context is None else context)
        if not self.is_over:
            self._soon.append(call)
        return call

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> Call:
        call = Call(callback, args, contextvars.copy_context() if context is None else context)
        if not self.is_over:
            heapq.heappush(self._timers, (when, next(self._numbers), call))
        return call

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> Call:
        call = Call(callback, args, contextvars.copy_context() if context is None else context)
        if not self.is_over:
            heapq.heappush(self._timers, (self.now + delay, next(self._numbers), call))
        return call

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

    # one step after the other

    def _run_once(self) -> None:
        """Until somebody stops the loop; asyncio calls it again if it returns."""
        soon, timers, draw, owner_of, pop = self._soon, self._timers, self._draw, OWNER, heapq.heappop
        while not self._stopping:  # type: ignore[attr-defined]
            while not soon or (timers and timers[0][0] <= self.now):
                if not timers:
                    raise Restless("nothing is left that could happen")
                when, _, timer = pop(timers)
                if timer.is_off:
                    continue
                if not soon and when > self.now:
                    self.now = when
                soon.append(timer)
            if len(soon) == 1:
                call = soon.pop()
            else:
                place = int(draw() * min(len(soon), 8))
                call = soon.pop(place if place and _is_waking(soon[place]) else 0)
            if call.is_off:
                continue
            owner = call.context.get(owner_of)
            if owner is not None:
                if owner.is_dead:
                    continue
                if owner.held_until > self.now:
                    owner.held.append(call)
                    continue
                owner.steps += 1
                if owner.dies_at and owner.steps >= owner.dies_at:
                    owner.kill()
                    continue
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise Restless(f"{MAX_STEPS:,} steps and no end, at {self.now:.1f} s")
            try:
                call.context.run(call.callback, *call.args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - as asyncio's handles do: whoever plays is told
                self.call_exception_handler({"message": f"in callback {call.callback!r}", "exception": error})

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


def _is_waking(call: Call) -> bool:
    """Whether this goes on with a task whose wait is over."""
    return "akeup" in getattr(call.callback, "__name__", type(call.callback).__name__)

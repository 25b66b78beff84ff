"""Wait for what must become true, with a bound and never with a bare sleep."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

BOUND_S = 10.0
"""Far above what any condition takes on a busy machine: a bound that is reached is a failure, not slowness."""

PAUSE_S = 0.01

Saying = str | Callable[[], Any]
"""What is missing, in words; a callable is asked only when the bound is reached."""


@overload
async def until(condition: Callable[[], Awaitable[T | None]], *, bound_s: float = ..., saying: Saying = ...) -> T: ...
@overload
async def until(condition: Callable[[], T | None], *, bound_s: float = ..., saying: Saying = ...) -> T: ...
async def until(condition: Callable[[], Any], *, bound_s: float = BOUND_S, saying: Saying = "") -> Any:
    """The first true value of `condition`, which may be async; `saying` is shown when it never came.

    Raises:
        AssertionError: nothing true within `bound_s` seconds.
    """
    end_s = time.monotonic() + bound_s
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await asyncio.wait_for(_awaited(value), max(bound_s, PAUSE_S))
        if value:
            return value
        if time.monotonic() >= end_s:
            words = saying() if callable(saying) else saying
            raise AssertionError(f"not true within {bound_s:g} s: {words or _source(condition)}")
        await asyncio.sleep(PAUSE_S)


async def _awaited(value: Awaitable[T]) -> T:
    return await value


def _source(condition: Callable[[], Any]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)

"""Work beside the screen, begun so that one that is replaced before its first step leaves nothing behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.dom import DOMNode


def begin(
    node: DOMNode, work: Callable[[], Awaitable[object]], group: str = "default", *, exclusive: bool = True
) -> None:
    """Calls `work` in a worker of `node`; with `exclusive` what runs of the same group is cancelled first.

    The coroutine is made by the worker: one that is cancelled before it began was never made, so it is never missing its await.
    """
    made: Any = work  # Textual's own type takes a coroutine function for a function that gives a coroutine.
    node.run_worker(made, group=group, exclusive=exclusive)

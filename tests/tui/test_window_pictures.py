"""Pictures of the window at its sizes and in its themes, with a fixed clock. Look at each that changed before taking it over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from agent_tui.app import OneWindow
from tests.tui.staged import stage
from tests.until import until

SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (180, 50)
PICTURES = [
    ("workstation", SMALL, "night", False),
    ("workstation", MIDDLE, "night", False),
    ("workstation", LARGE, "night", False),
    ("workstation", MIDDLE, "day", False),
    ("workstation", MIDDLE, "contrast", False),
    ("workstation", MIDDLE, "ansi", False),
    ("workstation", SMALL, "ansi", True),
    ("offer", SMALL, "night", False),
    ("offer", MIDDLE, "night", False),
    ("offer", LARGE, "night", False),
    ("link-lost", SMALL, "night", False),
    ("link-lost", MIDDLE, "night", False),
    ("send-stopped", SMALL, "night", False),
    ("send-stopped", MIDDLE, "night", False),
    ("transfer", SMALL, "night", False),
    ("transfer", MIDDLE, "night", False),
    ("transfer", MIDDLE, "contrast", False),
    ("transfer", MIDDLE, "day", False),
    ("transfer", LARGE, "night", False),
    ("transfer", SMALL, "ansi", True),
    ("transfer-page", SMALL, "night", False),
    ("transfer-away", MIDDLE, "night", False),
    ("consult-asking", SMALL, "night", False),
    ("consult-with", SMALL, "day", False),
    ("consult-with", MIDDLE, "night", False),
    ("consult-asked", MIDDLE, "night", False),
    ("consult-asked", LARGE, "night", False),
    ("merge", SMALL, "ansi", True),
    ("merge", MIDDLE, "night", False),
    ("merge", LARGE, "night", False),
    ("split", MIDDLE, "night", False),
    ("wrap-up", SMALL, "night", False),
    ("wrap-up", MIDDLE, "night", False),
    ("wrap-up", LARGE, "day", False),
    ("wrap-up", MIDDLE, "contrast", False),
    ("wrap-up", SMALL, "ansi", True),
    ("snooze", SMALL, "night", False),
    ("snooze", MIDDLE, "night", False),
    ("why", SMALL, "night", False),
    ("why", MIDDLE, "night", False),
    ("why", LARGE, "contrast", False),
    ("tasks", SMALL, "night", False),
    ("tasks", MIDDLE, "night", False),
    ("tasks", LARGE, "night", False),
    ("call-back", SMALL, "ansi", True),
    ("call-back", MIDDLE, "night", False),
    ("help", SMALL, "night", False),
    ("help", MIDDLE, "night", False),
    ("palette", MIDDLE, "night", False),
    ("search", MIDDLE, "night", False),
    ("profile", SMALL, "night", False),
    ("empty", MIDDLE, "night", False),
    ("floor", SMALL, "night", False),
    ("floor", SMALL, "ansi", True),
    ("offers", SMALL, "night", False),
    ("offers", MIDDLE, "night", False),
    ("offers", LARGE, "night", False),
    ("offers", MIDDLE, "contrast", False),
    ("offers", SMALL, "ansi", True),
    ("presence", SMALL, "night", False),
    ("presence", MIDDLE, "night", False),
    ("presence", LARGE, "day", False),
    ("presence", MIDDLE, "contrast", False),
    ("wrapping", SMALL, "night", False),
    ("wrapping", MIDDLE, "night", False),
    ("force-state", MIDDLE, "night", False),
    ("force-state", SMALL, "ansi", True),
    ("give-back", SMALL, "night", False),
    ("give-back", MIDDLE, "night", False),
    ("assign", MIDDLE, "night", False),
    ("supervisor", MIDDLE, "day", False),
    ("supervisor", SMALL, "night", False),
    ("supervisor", MIDDLE, "night", False),
    ("supervisor", LARGE, "night", False),
]


@pytest.mark.parametrize(
    ("scene", "size", "theme", "ascii"),
    PICTURES,
    ids=[f"{scene}-{size[0]}x{size[1]}-{theme}{'-ascii' * ascii}" for scene, size, theme, ascii in PICTURES],
)
def test_the_window_looks_as_drawn(
    snap_compare: Callable[..., bool], tmp_path: Path, scene: str, size: tuple[int, int], theme: str, ascii: bool
) -> None:
    app, play = stage(scene, tmp_path, theme=theme, ascii=ascii)

    async def before(pilot: Pilot[Any]) -> None:
        found = pilot.app
        assert isinstance(found, OneWindow)
        await until(lambda: found.place.is_up and found.workstation.desk.writing is not None)
        await play(found)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)

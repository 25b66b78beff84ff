"""Shows one scene in this terminal, for looking at it beside its picture: `python -m tests.tui.scene NAME [theme] [--ascii]`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.tui.staged import SCENES, stage


def main() -> None:
    """NAME is one of SCENES."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    name = words[0] if words else "workstation"
    if name not in SCENES:
        sys.exit(f"no such scene; there are: {', '.join(SCENES)}")
    app, act = stage(
        name, Path(tempfile.mkdtemp()), theme=words[1] if len(words) > 1 else "night", ascii="--ascii" in sys.argv
    )

    async def play() -> None:
        async def later() -> None:
            await asyncio.sleep(0.6)
            # Inside the app, as the real link is: timers need its context.
            app.run_worker(act(app))

        task = asyncio.create_task(later())
        await app.run_async()
        await task

    asyncio.run(play())


if __name__ == "__main__":
    main()

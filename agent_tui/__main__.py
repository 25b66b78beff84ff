"""`python -m agent_tui` and the command `agent-tui`."""

from __future__ import annotations

import sys

from agent_tui.cli import main as _main


def main() -> None:
    sys.exit(_main())


if __name__ == "__main__":
    main()

"""Actions that ask something first: whom to transfer to, why to close, what to look for. Each opens its dialog.

The law: a dialog is imported when it is first opened, and what it gives back becomes a command with the row as it was shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent_tui.screens.workstation import Workstation


def transfer(screen: Workstation) -> None:
    screen.say("soon")


def close(screen: Workstation) -> None:
    screen.say("soon")


def close_next(screen: Workstation) -> None:
    screen.say("soon")


def search(screen: Workstation) -> None:
    screen.say("soon")


def waits(screen: Workstation) -> None:
    screen.say("soon")


def take_reply_back(screen: Workstation) -> None:
    screen.say("soon")


def open_item(screen: Workstation) -> None:
    screen.say("soon")


def save_item(screen: Workstation) -> None:
    screen.say("soon")


def raw(screen: Workstation) -> None:
    screen.say("soon")


def presence(screen: Workstation) -> None:
    screen.say("soon")


def help_(screen: Workstation) -> None:
    screen.say("soon")


def command(screen: Workstation) -> None:
    screen.say("soon")


def quit_(screen: Workstation) -> None:
    screen.say("soon")


def monitor(screen: Workstation) -> None:
    screen.say("soon")


def open_file(screen: Workstation, digest: str) -> None:
    screen.say("soon")

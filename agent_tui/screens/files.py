"""Files and whole messages: opened in the pager, saved into the downloads folder.

The law: a name that a stranger chose is only ever a base name, and nothing that exists is overwritten.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agent_tui.model.clean import clean_line
from agent_tui.model.file_lines import size
from broker_bridge.contract.commands import FilePart, Message
from broker_bridge.contract.views import Bytes, FileLine, Item, Text

if TYPE_CHECKING:
    from agent_tui.screens.workstation import Workstation

TEXT_TYPES = ("text/", "application/json", "application/xml", "message/")
MOST_PARTS = 400
"""128 KiB each: 50 MiB, more than any mail has."""
_BAD = re.compile(r"[/\\:*?\"<>|\x00-\x1f\x7f]")


def choose(
    screen: Workstation, found: tuple[FileLine, ...], then: Callable[[Workstation, str, FileLine], None]
) -> None:
    """The one file, or the one that is chosen among several."""
    opened = screen.reading.opened
    if opened is None or not found:
        return
    conv = opened.conv
    if len(found) == 1:
        then(screen, conv, found[0])
        return
    from agent_tui.screens.choose import Choose

    def given(place: int | None) -> None:
        if place is not None:
            then(screen, conv, found[place])

    options = tuple((one.name, size(one.size_bytes)) for one in found)
    screen.app.push_screen(Choose(screen.place, "Which file", options), given)


def open_file(screen: Workstation, conv: str, file: FileLine) -> None:
    """A text file in the pager; others are for saving."""
    if not file.media_type.startswith(TEXT_TYPES):
        screen.say(f"{clean_line(file.name, 80)} is no text: {screen.keys.shown('save_file')} saves it.")
        return
    from agent_tui.screens.pager import Leaf, Pager

    async def fetch(part: int) -> Leaf | None:
        answer = await screen.place.ask(FilePart(conversation=conv, digest=file.digest, part=part))
        if not isinstance(answer, Bytes):
            return None
        return Leaf(answer.data.decode("utf-8", "replace"), answer.parts)

    screen.app.push_screen(Pager(screen.place, file.name, fetch))


def whole(screen: Workstation, item: Item, *, raw: bool) -> None:
    """A message as far as it goes, or its raw source."""
    opened = screen.reading.opened
    if opened is None:
        return
    from agent_tui.screens.pager import Leaf, Pager

    conv = opened.conv
    is_here = not raw and not item.is_cut

    async def fetch(part: int) -> Leaf | None:
        if is_here:
            return Leaf(f"{item.text}\n\n{item.quote}" if item.quote else item.text, 1)
        answer = await screen.place.ask(Message(conversation=conv, message=item.id, part=part, raw=raw))
        return Leaf(answer.text, answer.parts) if isinstance(answer, Text) else None

    title = f"{item.subject or item.name or 'Message'}{', as it was sent' if raw else ''}"
    screen.app.push_screen(Pager(screen.place, title, fetch))


def save_file(screen: Workstation, conv: str, file: FileLine) -> None:
    """Into the downloads folder, under a name that is not taken."""
    screen.run_worker(_save(screen, conv, file), group="saving")


async def _save(screen: Workstation, conv: str, file: FileLine) -> None:
    name = clean_line(file.name, 80) or "file"
    data = bytearray()
    part, parts = 0, 1
    while part < parts:
        answer = await screen.place.ask(FilePart(conversation=conv, digest=file.digest, part=part))
        if not isinstance(answer, Bytes) or answer.parts > MOST_PARTS:
            screen.say(f"{name} cannot be had now.")
            return
        data += answer.data
        parts = answer.parts
        part += 1
        if parts > 1:
            screen.say(f"{name}: {part} of {parts} parts")
    try:
        path = keep(downloads(), file.name, bytes(data))
    except OSError as error:
        screen.say(f"{name} is not saved: {error.strerror}.")
        return
    screen.say(f"Saved as {clean_line(str(path), 300)}")


def downloads() -> Path:
    """Where this system puts downloads."""
    import platformdirs

    return platformdirs.user_downloads_path()


def safe_name(name: str) -> str:
    """The last part of a stranger's file name, without anything that a shell or a file system reads otherwise."""
    base = clean_line(name.replace("\\", "/").rpartition("/")[2], 200)
    base = _BAD.sub("_", base).strip(". ")
    return base[:120] or "file"


def keep(folder: Path, name: str, data: bytes) -> Path:
    """Writes a new file, `name`, or `name-2` and so on; 0600, for its owner alone.

    Raises:
        OSError: the disk does not take it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem, dot, ending = safe_name(name).rpartition(".")
    if not stem:
        stem, dot, ending = ending, "", ""
    for number in range(1, 1_000):
        path = folder / (f"{stem}{dot}{ending}" if number == 1 else f"{stem}-{number}{dot}{ending}")
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        return path
    raise FileExistsError(17, "too many files of that name")

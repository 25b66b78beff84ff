"""The window without a link, with nothing to do, with hostile words, and for a supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import msgspec
import pytest

from agent_tui.model.drafts import Drafts
from agent_tui.panes.lines import LineList
from agent_tui.screens import files
from agent_tui.screens.monitor import Monitor
from broker_bridge.contract import commands as c
from broker_bridge.contract.views import Case, Counts, FileLine, Identifier, Moment, Profile, Reach, Row
from broker_bridge.contract.words import Address
from tests.tui import fakes, scenes, scenes_floor
from tests.tui.staged import replaced
from tests.tui.test_window import desk
from tests.until import until

LOST = scenes.NOW_MS - 48_000


async def test_a_lost_link_is_a_banner_with_the_age_of_what_is_shown(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.fake.set_status("down", since_ms=LOST, as_of_ms=LOST)
        await until(lambda: "No link for 0:48. All here is as of 14:01:23." in it.text())
        shown = it.text()
        assert "queue ~7" in shown and "no link 0:48" in shown and "ringing, not sure" in shown
        assert "is typing" not in shown and it.app.screen is it.screen


async def test_a_reply_without_a_link_waits_in_sight_and_can_be_taken_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.fake.set_status("down", since_ms=LOST, as_of_ms=LOST)
        await it.press("r")
        assert "write on, it waits for the link" in it.text()
        await it.write("no fee")
        await it.press("enter", "escape")
        assert "waits for the link" in it.text() and "1 reply waits" in it.text() and "1 wait" in it.text()
        await it.press("o")
        await until(lambda: "What waits" in it.text())
        await it.press("escape", "D")
        assert it.draft == "no fee" and not it.app.place.outbox.waiting


async def test_what_may_have_left_cannot_be_taken_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.fake.set_status("down", since_ms=LOST, as_of_ms=LOST)
        await it.press("r")
        await it.write("no fee")
        await it.press("enter", "escape")
        it.app.place.outbox.mark_tried(it.app.place.outbox.waiting[0].id)
        await it.press("D")
        await until(lambda: "cannot be taken back" in it.text())
        assert it.app.place.outbox.waiting


async def test_the_link_returns_and_the_thread_is_fetched_again(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.fake.set_status("down", since_ms=LOST, as_of_ms=LOST)
        it.fake.asked.clear()
        it.fake.set_status("up")
        await until(lambda: any(isinstance(request, c.Thread) for request in it.fake.asked))
        await until(lambda: "No link" not in it.text())


async def test_a_draft_written_without_a_link_reaches_the_bridge_when_it_is_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.open("c-anna")
        it.fake.set_status("down", since_ms=LOST, as_of_ms=LOST)
        await it.press("r")
        await it.write("meanwhile")
        await until(lambda: Drafts(tmp_path / "drafts", scenes.NOW_MS).get("c-anna"))
        it.fake.asked.clear()
        it.fake.set_status("up")
        told = await until(lambda: next((one for one in it.fake.asked if isinstance(one, c.Draft)), None))
        assert told.text == "meanwhile" and it.draft == "meanwhile"


async def test_nothing_to_do_says_why_and_which_keys_help(tmp_path: Path) -> None:
    async with desk(tmp_path, rows=(), counts=Counts(queue=7, all=148)) as it:
        await until(lambda: "Nothing waits for you." in it.text())
        shown = it.text()
        assert "7 wait in the queue" in shown
        assert "No conversation open" in shown and "Opens with a conversation." in shown


async def test_a_text_file_opens_in_the_pager(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        item = replaced(scenes.ANNA_ITEMS[-1], files=(scenes.LETTER,))
        it.fake.pages["c-anna"] = replaced(scenes.ANNA_PAGE, items=(*scenes.ANNA_ITEMS[:-1], item))
        await it.open("c-anna")
        await it.press("o")
        await until(lambda: "second line" in it.text())
        asked = next(one for one in it.fake.asked if isinstance(one, c.FilePart))
        assert (asked.conversation, asked.digest) == ("c-anna", "b" * 64)


async def test_a_file_is_saved_under_its_base_name_and_never_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "downloads", lambda: tmp_path / "down")
    async with desk(tmp_path) as it:
        evil = FileLine(
            digest="b" * 64, name="../../.ssh/authorized_keys\x1b[2J", media_type="text/plain", size_bytes=3
        )
        item = replaced(scenes.ANNA_ITEMS[-1], files=(evil,))
        it.fake.pages["c-anna"] = replaced(scenes.ANNA_PAGE, items=(*scenes.ANNA_ITEMS[:-1], item))
        await it.open("c-anna")
        await it.press("s")
        first = tmp_path / "down" / "authorized_keys"
        await until(first.exists)
        await it.press("s")
        second = tmp_path / "down" / "authorized_keys-2"
        await until(second.exists)
        assert first.read_bytes() == second.read_bytes() == b"the letter\nsecond line\n"
        assert [path.name for path in tmp_path.rglob("authorized*")] != [] and not (tmp_path.parent / ".ssh").exists()


@pytest.mark.parametrize(
    ("name", "kept"),
    [("..", "file"), ("", "file"), ("a/b\\c.txt", "c.txt"), (".bashrc", "bashrc"), ("x\u202egnp.exe", "xgnp.exe")],
)
def test_a_strangers_file_name_is_only_a_base_name(name: str, kept: str) -> None:
    assert files.safe_name(name) == kept


async def test_the_raw_source_opens_in_the_pager(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        it.fake.texts["m-21"] = "Received: from somewhere\n\nbody"
        await it.open("c-soren")
        await it.press("i")
        await until(lambda: "Received: from somewhere" in it.text())
        asked = next(one for one in it.fake.asked if isinstance(one, c.Message))
        assert asked.raw and asked.message == "m-21"


async def test_a_supervisor_sees_the_floor_and_reads_silently(tmp_path: Path) -> None:
    async with desk(tmp_path, me=scenes.SUPERVISOR) as it:
        await it.press("M")
        await until(lambda: "complaints" in it.text() and "Bo Lind" in it.text())
        shown = it.text()
        assert "68 %" in shown and "silent" in shown and "late by 0:42 with Maya" in shown
        monitor = it.app.screen_stack[-1]
        assert isinstance(monitor, Monitor)
        monitor.query_one("#floor-list", LineList).select(("agent", "ole"))
        await it.press("enter")
        await until(lambda: "Three payments this morning" in it.text())
        read = [one for one in it.fake.asked if isinstance(one, c.Thread) and one.conversation == "c-pauline"]
        assert read and all(one.silent for one in read)
        await it.press("escape")
        await until(lambda: it.app.screen is it.screen)
        assert any(isinstance(one, c.Unwatch) for one in it.fake.asked)


async def test_the_monitor_is_for_supervisors(tmp_path: Path) -> None:
    async with desk(tmp_path) as it:
        await it.press("M")
        assert it.app.screen is it.screen and "for supervisors" in it.text()


@pytest.mark.parametrize("key", ["1", "2", "3", "4"])
async def test_the_boards_are_pages_at_80_columns(tmp_path: Path, key: str) -> None:
    async with desk(tmp_path, me=scenes.SUPERVISOR, size=(80, 24)) as it:
        await it.press("M")
        await until(lambda: "Bo Lind" in it.text())
        await it.press(key)
        words = {"1": "Floor", "2": "Queues", "3": "Alerts", "4": "No conversation is read"}
        await until(lambda: words[key] in it.text())


HOSTILE = (
    "[/] [@click=app.exit]x[/] \x1b[2J\x1b]52;c;ZXZpbA==\x07\x9b31m \u202eevil\u2066 \u200b\u200d a\u0301"
    + "\u0301" * 40
    + " \r\n\t end"
)


def _hostile_row(conv: str) -> Row:
    return Row(
        conv=conv,
        rev=1,
        number=HOSTILE,
        name=HOSTILE,
        tier=HOSTILE,
        channel=HOSTILE,
        state="mine",
        owner_name=HOSTILE,
        queue=HOSTILE,
        text=HOSTILE,
        text_by=HOSTILE,
        typing=(HOSTILE,),
        viewers=(HOSTILE,),
        transfer_to=HOSTILE,
        offer_reason=HOSTILE,
        unread=3,
        due_ms=scenes.NOW_MS + 9_000,
        waiting_since_ms=scenes.NOW_MS - 5_000,
        verbs=scenes.OWNER_VERBS,
    )


def _hostile_world(fake: fakes.FakeLink, row: Row) -> None:
    where = (Address(address=HOSTILE, name=HOSTILE),)
    file = FileLine(digest="b" * 64, name=HOSTILE, media_type="text/plain", size_bytes=3)
    items = tuple(
        replaced(
            item, name=HOSTILE, text=HOSTILE, quote=HOSTILE, subject=HOSTILE, to=where, cc=where, files=(file,),
            reason=HOSTILE, delivery="failed", channel=HOSTILE, note_to=HOSTILE, has_raw=True,
        )
        for item in scenes.ANNA_ITEMS
    )  # fmt: skip
    way = Reach(channel="x", kind="x", word=HOSTILE, address=HOSTILE, name=HOSTILE, to=where, cc=where, subject=HOSTILE)
    fake.pages[row.conv] = replaced(
        scenes.ANNA_PAGE, row=row, items=items, reach=(way,), dispositions=(HOSTILE, "done")
    )
    case = Case(conv="c", number=HOSTILE, text=HOSTILE, state=HOSTILE, at_ms=scenes.NOW_MS)
    fake.profiles[row.conv] = Profile(
        customer="u", rev=1, name=HOSTILE, tier=HOSTILE, speaks=HOSTILE, about=HOSTILE,
        identifiers=(Identifier(word=HOSTILE, address=HOSTILE, reason=HOSTILE),), open=(case,), was=(case,),
        files=(file,), also_here=(HOSTILE,), moments=(Moment(at_ms=scenes.NOW_MS, word=HOSTILE, text=HOSTILE),),
    )  # fmt: skip
    fake.directory = msgspec.structs.replace(
        scenes_floor.DIRECTORY,
        agents=tuple(
            replaced(one, name=HOSTILE, reason=HOSTILE, works_on=HOSTILE, works_on_word=HOSTILE)
            for one in scenes_floor.AGENTS
        ),
        queues=tuple(replaced(one, name=HOSTILE) for one in scenes_floor.QUEUES),
        alerts=(Moment(at_ms=scenes.NOW_MS, word=HOSTILE, text=HOSTILE),),
    )
    fake.found = (row,)
    fake.files["b" * 64] = HOSTILE.encode()
    fake.texts["m-17"] = HOSTILE


def _harmful(shown: str) -> set[str]:
    """Control, format and override characters of a screen; the joiner may stand between letters of a script."""
    return {
        f"U+{ord(char):04X}"
        for char in shown
        if (unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in "\n\u200d\u200c")
    }


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (180, 50)])
async def test_hostile_words_in_every_field_reach_no_terminal(tmp_path: Path, size: tuple[int, int]) -> None:
    row = _hostile_row("c-evil")
    ringing = replaced(_hostile_row("c-ring"), state="ringing", offer_until_ms=scenes.NOW_MS + 9_000, verbs=("accept",))
    async with desk(tmp_path, size=size, rows=(row, ringing), me=replaced(scenes.SUPERVISOR, name=HOSTILE)) as it:
        _hostile_world(it.fake, row)
        await it.open("c-evil")
        seen = [it.text()]
        it.screen.say(HOSTILE)
        steps = (
            "p",
            "escape",
            "l",
            "escape",
            "t",
            "escape",
            "e",
            "escape",
            "slash",
            "c",
            "escape",
            "colon",
            "c",
            "escape",
        )
        for key in (*steps, "i", "escape", "o", "escape", "r", "escape", "w", "M", "enter", "escape", "question_mark"):
            await it.press(key)
            seen.append(it.text())
        it.fake.set_status("denied", sentence=HOSTILE)
        await it.pilot.pause()
        seen.append(it.text())
        assert [found for shown in seen if (found := _harmful(shown))] == []
        assert "[/] [@click" in "".join(seen), "markup is shown as the text that it is"


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.tui.test_window import desk

async def main():
    async with desk(Path(sys.argv[1])) as it:
        await it.open("c-anna")
        await it.press("r")
        await it.write("not lost")
        from tests.until import until
        await until(lambda: not it.screen.desk._pause)
        print("written", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_a_draft_survives_kill_9(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    child = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=root,
        env=dict(os.environ, PYTHONPATH=str(root)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr[-2000:]
    found = Drafts(tmp_path / "drafts", scenes.NOW_MS).get("c-anna")
    assert found is not None and found.text == "not lost"

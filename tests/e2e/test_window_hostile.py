"""Foreign words at every surface of the real window: whatever strangers write, the program writes the sequences of a calm day."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from email.header import Header
from email.message import EmailMessage

import pytest
import pytest_asyncio

from broker_bridge.contract import commands as c
from broker_bridge.contract import views as v
from broker_bridge.contract.words import Packet
from tests.e2e import hostile
from tests.e2e.house import OURS, House
from tests.e2e.terminal import Terminal
from tests.until import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SURFACES = "ntsfqaodprwxv"
"""name, text, subject, file, quote, address, note, draft, page, raw header, packet, transfer note, visitor's name"""

Words = Callable[[str, int], str]
"""What stands on a surface: its letter and a payload's number to words."""


def calm(surface: str, number: int) -> str:
    return f"calm {surface} {number}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    await made.open()
    try:
        await made.site.enroll("maya", queues=("support",), capacity=100)
        await made.site.enroll("ole", queues=("sales",), capacity=100)
        await made.site.enroll("ines", role="supervisor", queues=("sales",))
        yield made
    finally:
        made.site.kill()


def _mail(words: Words, number: int, text: str) -> bytes:
    """A mail whose every header that is shown is foreign, as raw as a sender can make it."""

    def coded(surface: str) -> str:
        return Header(words(surface, number), "utf-8", maxlinelen=10_000).encode(linesep="")

    body = EmailMessage()
    body.set_content(text, cte="base64")
    body.add_alternative(f"<p>{words('h', number)}</p><p>hello</p>", subtype="html", cte="base64")
    body.add_attachment(b"a file", maintype="text", subtype="plain", filename="x.txt")
    raw = body.as_bytes().replace(b'filename="x.txt"', f'filename="{coded("f")}"'.encode())
    head = (
        f"From: {coded('n')} <customer{number}@customers.example>\r\nTo: {OURS}\r\n"
        f"Cc: {coded('c')} <cc{number}@customers.example>\r\nSubject: {coded('s')}\r\n"
        f"Message-ID: <{words('r', number)[:4].strip()}-{number}@customers.example>\r\n"
    ).encode()
    return head + f"X-Raw: {words('r', number)}\r\n".replace("\n\n", "").encode() + raw


async def _come(house: House, words: Words, text: str, numbers: list[int], tag: str) -> None:
    """Customers at every door, and a colleague's words."""
    for number in numbers:
        await house.mail(_mail(words, number, f"{text[:300]}\n\n> {words('q', number)}\n> more\n"))
    who = [
        {"id": f"{tag}{number}", "from": words("a", number), "name": words("n", number), "text": words("t", number)}
        for number in numbers
    ]
    await house.site.insist(who)
    async with AsyncExitStack() as stack:
        page = f"https://shop.example/{words('p', numbers[0])}"
        visitor = await stack.enter_async_context(house.visitor(words("v", numbers[0])[:70], page))
        await visitor.say(text)
        async with house.site.agent("maya") as maya, house.site.agent("ole") as ole:
            row = await house.sees(maya, lambda row: row.channel == "chat" and row.state in ("ringing", "queued"))
            await maya.accept(row.conv)
            await maya.get(c.Note(id=maya.new_id(), conversation=row.conv, text=words("o", numbers[0])), c.Done)
            await maya.ask(
                c.Draft(conversation=row.conv, text=words("d", numbers[0]), mode="reply", at_ms=1_900_000_000_000)
            )
            await ole.get(c.Hello(device="test"), v.Welcome)
            last = words("n", numbers[-1])[:5]
            other = await house.sees(maya, lambda row: row.channel == "mail" and row.name[:5] == last)
            await maya.accept(other.conv)
            asks = await house.sees(maya, lambda row: row.channel == "fake" and row.name[:5] == last)
            await maya.accept(asks.conv)
            given = c.Transfer(
                id=maya.new_id(),
                conversation=other.conv,
                to_agent="ole",
                note=words("x", numbers[0]),
                packet=Packet(problem=words("w", numbers[0]), promised=words("w", numbers[-1])),
            )
            await maya.get(given, c.Done)


async def _press(window: Terminal, *keys: str) -> None:
    """One key after the other, each when the program has painted what the one before did."""
    for key in keys:
        window.press(key)
        await _rests(window, 4)


async def _rests(window: Terminal, looks: int = 10) -> None:
    """The program has nothing more to paint for now."""
    last = (-1, 0)

    def is_still() -> bool:
        nonlocal last
        assert window.code is None, f"the window ended with {window.code}:\n{window.text}"
        size, calm_for = last
        last = (len(window.raw), calm_for + 1 if size == len(window.raw) else 0)
        return last[1] >= looks

    await until(is_still, bound_s=40.0, saying=lambda: f"the window paints without end\n{window.text}")


async def _walk(window: Terminal, rows: int) -> None:
    """Every pane, view and dialog, for the first rows of all conversations."""
    await _press(window, "1", "2", "3", "w", "pagedown", "escape", "4", "escape", "m", "escape", "z", "escape")
    for row in range(rows):
        await _press(window, "g", *["down"] * row, "enter", "G", "g", ">", "o", "pagedown", "escape")
        await _press(window, "i", "pagedown", "escape", "tab", "tab", "tab", "escape")
    await _press(
        window, "p", "escape", "l", "escape", "t", "down", "escape", "e", "escape", "?", "escape", ":", "escape"
    )
    await _press(window, "/", "Q", "escape", "1", "G", "r", "escape", "n", "escape")


async def _open(window: Terminal, words: str, down: int) -> None:
    """One of what a search finds."""
    await House.to_list(window)
    await _press(window, "/")
    window.type(words)
    await until(lambda: sum(words in line for line in window.lines[6:-3]) > down + 1, saying=lambda: window.text)
    await _press(window, *["down"] * down, "enter")
    await window.hides("newest first")
    # The conversation, its customer and the draft come in three answers.
    await _rests(window, 30)


async def _is_alive(window: Terminal) -> None:
    await House.to_list(window)
    window.press("f1")
    await window.shows("type to find a key")
    window.press("escape")
    await window.hides("type to find a key")


def _foreign(window: Terminal, calm_kinds: set[str]) -> list[str]:
    """Everything in the stream that a calm day does not have."""
    written = window.written
    found = [f"kind {kind}" for kind in set(written.kinds) - calm_kinds]
    found += [
        f"inside {name}: {held[:80]!r}"
        for name, held in written.strings
        if hostile.markers(held) or not held.isprintable()
    ]
    return found + written.strange + hostile.unsafe(written.letters)


async def test_hostile_words_at_every_surface_reach_the_terminal_as_plain_letters(house: House) -> None:
    async with house.window("maya") as window, house.window("ines", 180, 50) as lead:
        await window.shows("● link")
        await lead.shows("● link")
        await _come(house, calm, "calm words", [0], "c")
        await _walk(window, 1)
        await _press(lead, "M", "down", "enter", "tab", "tab", "escape", "3", "enter")
        calm_kinds = set(window.written.kinds) | set(lead.written.kinds)
        numbers = [3, 18, 30]
        await _come(house, hostile.line, hostile.everything("t"), numbers, "h")
        await _walk(window, 1)
        for found, down in ((f"Qv{numbers[0]:02}z", 0), (f"Qn{numbers[-1]:02}z", 0), (f"Qn{numbers[-1]:02}z", 1)):
            await _open(window, found, down)
            await _press(window, "g", *["pagedown"] * 2, "o", *["pagedown"] * 2, "escape", "i")
            await _rests(window, 15)
            await _press(window, "escape", "G")
            await _press(window, "r", "escape")
        await _press(lead, "escape", "M", "down", "down", "enter", "tab", "escape", "3", "enter")
        window.resize(80, 24)
        await _press(window, "3", "p", "escape", "l", "escape")
        assert _foreign(window, calm_kinds) == []
        assert _foreign(lead, calm_kinds) == []
        await _is_alive(window)
        await _is_alive(lead)
        seen = hostile.markers("".join((*window.written.letters, *lead.written.letters)))
        missing = [surface for surface in SURFACES if not any(marker[1] == surface for marker in seen)]
        assert missing == [], f"these surfaces were not looked at: {missing}; seen {sorted(seen)}"
        assert {marker for marker in seen if marker[1] == "t"} >= hostile.markers(hostile.everything("t"))


async def test_hostile_words_pasted_into_every_field_reach_the_terminal_as_plain_letters(house: House) -> None:
    async with house.window("maya", machine="paste") as window:
        await window.shows("● link")
        await _press(window, "3", "/", "x", "escape", "1", "G", "r", "x", "escape", ":", "x", "escape")
        calm_kinds = set(window.written.kinds)
        words = hostile.everything("k").replace("\x1b[201~", "")
        for open_, close in (("/", "escape"), (":", "escape"), ("r", "escape"), ("n", "escape"), ("t", "escape")):
            await _press(window, open_)
            window.paste(words)
            await _rests(window)
            await _press(window, close)
        assert _foreign(window, calm_kinds) == []
        await _is_alive(window)


async def test_a_hundred_thousand_lines_and_a_line_of_a_megabyte_do_not_hang_the_window(house: House) -> None:
    async with house.window("maya", machine="long") as window:
        await window.shows("● link")
        for name, text in (("lines", "Evenline\n" * 100_000), ("long", "Longline" + "x" * 1_000_000)):
            made = EmailMessage()
            made["From"], made["To"], made["Subject"] = f"{name}@customers.example", OURS, f"Very {name}"
            made["Message-ID"] = f"<{name}@customers.example>"
            made.set_content(text, cte="base64")
            await house.mail(made)
        async with house.site.agent("maya") as maya:
            await maya.accept((await house.sees(maya, lambda row: row.text.startswith("Evenline"))).conv)
            await maya.accept((await house.sees(maya, lambda row: row.text.startswith("Longline"))).conv)
        await _press(window, "1")
        for shown in ("Evenline", "Longline"):
            await _press(window, "/")
            window.type(shown)
            await window.shows("1 of 1")
            await _press(window, "enter", "G", "g", "o", "G", "pageup", "escape", "i", "G", "escape", "escape")
        await _is_alive(window)
        assert len(window.raw) < 5_000_000, "far more was painted than fits on the screen"

"""The page and the widget in a real Chromium, used by keyboard."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker_bridge.channels.webchat.desk import Unavailable
from broker_bridge.channels.webchat.settings import ChatSettings
from tests.channels.webchat.site import Site
from tests.e2e.chrome import Chrome, Page, chrome, program
from tests.until import until

pytestmark = pytest.mark.skipif(
    program() is None, reason="no Chromium: apt-get install chromium-headless-shell runs these tests"
)

ROOT = "document.querySelector('#onewindow-chat').shadowRoot"
HOSTILE = '<img src=x onerror="document.title=1"><b>bold</b>\x1b[31m\u202egnp.exe'


@pytest.fixture
def settings() -> ChatSettings:
    return ChatSettings(title="Chat with Nordbank", says_per_s=1000, says_burst=1000, address_says_burst=1000)


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Chrome]:
    async with chrome(tmp_path / "browser") as running:
        yield running


@pytest.fixture
async def page(browser: Chrome, site: Site) -> AsyncIterator[Page]:
    async with browser.page() as opened:
        await opened.open(f"{site.url}/chat")
        yield opened


async def shown(page: Page, selector: str) -> list[str]:
    """The texts of the visible elements."""
    found = f"[...{ROOT}.querySelectorAll({json.dumps(selector)})].filter((node) => node.checkVisibility())"
    texts: list[str] = await page.value(f"{found}.map((node) => node.textContent)")
    return texts


async def until_shown(page: Page, selector: str, *texts: str) -> None:
    async def is_shown() -> bool:
        return await shown(page, selector) == list(texts)

    try:
        await until(is_shown)
    except AssertionError:
        instead = await shown(page, selector)
        raise AssertionError(f"{selector} shows {instead}, not {list(texts)}; console {page.console}") from None


async def write(page: Page, text: str) -> None:
    await page.value(f"{ROOT}.querySelector('textarea').focus()")
    await page.type(text)
    await page.press("Enter")


async def test_a_message_is_sent_acknowledged_answered_and_seen(page: Page, site: Site) -> None:
    await until_shown(page, ".state", "connected")
    await write(page, "Which fee applies abroad?")
    await until_shown(page, ".fate", "sent")
    session = site.desk.only_session
    site.sockets.push_typing(session, "Maya", True)
    await until_shown(page, ".typing", "Maya is typing…")
    reply = site.desk.reply(session, "None this month.")
    site.sockets.push(session, site.desk.sessions[session][0])
    site.sockets.push(session, reply)
    await until_shown(page, ".text", "Which fee applies abroad?", "None this month.")
    await until_shown(page, ".typing", "")
    await until(lambda: (session, reply.seq) in site.desk.seen_marks)
    site.sockets.push_seen(session, reply.seq)
    await until_shown(page, ".fate", "seen")
    assert site.desk.pages == [f"{site.url}/chat"]
    assert page.console == []


async def test_a_message_written_while_the_server_is_away_is_stored_once_after_its_return(
    page: Page, site: Site
) -> None:
    await write(page, "before")
    await until_shown(page, ".fate", "sent")
    await site.stop()
    await until_shown(page, ".banner", "offline — your messages wait and are sent when you are back")
    await write(page, "written offline")
    await write(page, "and another")
    await until_shown(page, ".fate", "sent", "waits for the connection", "waits for the connection")
    missed = site.desk.reply(site.desk.only_session, "an answer meanwhile")
    await site.start()
    await page.value("dispatchEvent(new Event('online'))")
    await until(lambda: site.desk.said(site.desk.only_session) == ["before", "written offline", "and another"])
    await until_shown(page, ".banner")
    assert missed.text in await shown(page, ".text")
    assert len(site.desk.arrivals) == 3


async def test_a_message_whose_answer_was_lost_is_sent_again_and_stored_once(page: Page, site: Site) -> None:
    await write(page, "before")
    await until_shown(page, ".fate", "sent")
    site.desk.gate.clear()
    await write(page, "stored, but nobody said so")
    await until_shown(page, ".fate", "sent", "sending…")
    stopping = asyncio.create_task(site.stop())
    await until(lambda: not site.sockets.is_here(site.desk.only_session))
    await stopping
    site.desk.gate.set()
    await site.start()
    await until_shown(page, ".fate", "sent")
    assert site.desk.said(site.desk.only_session) == ["before", "stored, but nobody said so"]


async def test_what_was_not_sent_survives_a_reload(page: Page, site: Site) -> None:
    await write(page, "before")
    await until_shown(page, ".fate", "sent")
    site.desk.trouble = Unavailable()
    await write(page, "typed in bad weather")
    await until_shown(page, ".fate", "sent", "trying again")
    await page.type("half a thou")
    await page.reload()
    await until_shown(page, ".banner", "The chat cannot be loaded at the moment; trying again.")
    site.desk.trouble = None
    await until_shown(page, ".text", "before", "typed in bad weather")
    await until(lambda: site.desk.said(site.desk.only_session) == ["before", "typed in bad weather"])
    assert await page.value(f"{ROOT}.querySelector('textarea').value") == "half a thou"


async def test_a_reload_shows_the_history(page: Page, site: Site) -> None:
    await write(page, "hi")
    await until_shown(page, ".fate", "sent")
    site.desk.reply(site.desk.only_session, "hello")
    await page.reload()
    await until_shown(page, ".text", "hi", "hello")
    await until_shown(page, ".by b", "You", "Maya")


async def test_hostile_text_is_shown_as_text(page: Page, site: Site) -> None:
    await write(page, HOSTILE)
    await until_shown(page, ".fate", "sent")
    session = site.desk.only_session
    site.sockets.push(session, site.desk.reply(session, HOSTILE))
    as_text = '<img src=x onerror="document.title=1"><b>bold</b>[31mgnp.exe'
    await until_shown(page, ".text", as_text, as_text)
    assert await shown(page, "img, .text b") == []
    assert await page.value("document.title") == "Chat with Nordbank"


async def test_a_link_is_opened_safely(page: Page, site: Site) -> None:
    await write(page, "see https://shop.example/a?b=1.")
    await until_shown(page, ".text a", "https://shop.example/a?b=1")
    link = f"{ROOT}.querySelector('.text a')"
    assert await page.value(f"[{link}.rel, {link}.target]") == ["noopener noreferrer nofollow ugc", "_blank"]


async def test_two_tabs_show_the_same(browser: Chrome, site: Site) -> None:
    async with browser.tab() as one, browser.tab() as two:
        await one.open(f"{site.url}/chat")
        await until_shown(one, ".state", "connected")
        await two.open(f"{site.url}/chat")
        await until_shown(two, ".state", "connected")
        await write(two, "from two")
        await until_shown(one, ".text", "from two")
        session = site.desk.only_session
        site.sockets.push(session, site.desk.reply(session, "to both"))
        for tab in (one, two):
            await until_shown(tab, ".text", "from two", "to both")


async def test_what_a_closed_tab_left_unsent_is_shown_and_sent_by_another(browser: Chrome, site: Site) -> None:
    async with browser.tab() as two:
        async with browser.tab() as one:
            await one.open(f"{site.url}/chat")
            await until_shown(one, ".state", "connected")
            await two.open(f"{site.url}/chat")
            await until_shown(two, ".state", "connected")
            await write(one, "first")
            await until_shown(two, ".text", "first")
            await site.stop()
            await write(one, "left behind")
            await until_shown(one, ".fate", "sent", "waits for the connection")
        await site.start()
        await until_shown(two, ".text", "first", "left behind")
        await until_shown(two, ".fate", "sent", "sent")
    assert site.desk.said(site.desk.only_session) == ["first", "left behind"]


async def test_shift_enter_makes_a_line_and_enter_sends(page: Page, site: Site) -> None:
    await page.value(f"{ROOT}.querySelector('textarea').focus()")
    await page.type("one")
    await page.press("Enter", modifiers=8)
    await page.type("two")
    await page.press("Enter")
    await until(lambda: site.desk.all_said() == ["one\ntwo"])


async def test_a_file_is_sent_and_one_too_large_is_named(page: Page, site: Site, tmp_path: Path) -> None:
    small, large = tmp_path / "kvitto.png", tmp_path / "film.png"
    small.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    large.write_bytes(b"\0" * (11 * 1024 * 1024))
    await until_shown(page, ".state", "connected")
    picker = await page.command("Runtime.evaluate", expression=f"{ROOT}.querySelector('input[type=file]')")
    await page.command("DOM.setFileInputFiles", files=[str(small), str(large)], objectId=picker["result"]["objectId"])
    await until_shown(page, ".file u", "kvitto.png", "film.png")
    refusal = "not sent: This file is too large: 10 MB at most.Remove"
    await until_shown(page, ".fate", "sent", refusal)
    assert [name for _, name, _ in site.desk.files.values()] == ["kvitto.png"]


async def test_the_widget_keeps_its_look_on_any_site_and_counts_what_is_unread(browser: Chrome, site: Site) -> None:
    async with browser.page() as page:
        await page.open(f"{site.url}/shop")
        assert await page.value(f"getComputedStyle({ROOT}.querySelector('.launch')).color") == "rgb(255, 255, 255)"
        await page.value(f"{ROOT}.querySelector('.launch').click()")
        await until_shown(page, ".state", "connected")
        await write(page, "hi")
        await until_shown(page, ".fate", "sent")
        await page.press("Escape")
        await until_shown(page, ".panel")
        session = site.desk.only_session
        site.sockets.push(session, site.desk.reply(session, "hello"))
        await until_shown(page, ".count", "1")
        assert await page.value("document.title") == "(1) Shop"
        assert await page.value(f"{ROOT}.activeElement === {ROOT}.querySelector('.launch')")
        await page.press("Enter")
        await until_shown(page, ".count")
        assert await page.value("document.title") == "Shop"
        assert await page.value(f"{ROOT}.activeElement === {ROOT}.querySelector('textarea')")
        await page.value("document.title = 'Basket'")
        await page.press("Escape")
        site.sockets.push(session, site.desk.reply(session, "still there?"))
        await until_shown(page, ".count", "1")
        assert await page.value("document.title") == "(1) Basket"
    assert site.desk.pages == [f"{site.url}/shop"]

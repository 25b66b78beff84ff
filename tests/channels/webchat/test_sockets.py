"""The socket over a real server: acknowledgements, resume, tabs, limits, and who is not let in."""

import asyncio
import json
import os

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from broker_bridge.channels.webchat.desk import Full, Unavailable
from broker_bridge.channels.webchat.sessions import Signer
from broker_bridge.channels.webchat.settings import ChatSettings
from tests.channels.webchat.site import KEY, SHOP, Site, Tab, tab_at
from tests.until import until


def session_of(token: str) -> str:
    return Signer([KEY]).session_of(token) or ""


async def read_all(tab: Tab) -> None:
    while True:
        await tab.connection.recv()


async def test_a_message_is_acknowledged_only_after_it_is_stored(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        site.desk.gate.clear()
        await tab.send(t="say", id="message-1", text="hi")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await tab.connection.recv()
        site.desk.gate.set()
        assert (await tab.next("said"))["id"] == "message-1"
        assert site.desk.said(session_of(tab.token)) == ["hi"]


async def test_the_page_and_the_name_travel_with_the_message(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello(name="  Anna\u202e Berg ", page="https://shop.example/cards#top")
        await tab.say("message-1", "hi")
        await tab.send(t="say", id="message-2", text="and", page="https://shop.example/loans", name="Anna B")
        await tab.next("said")
    assert site.desk.names == ["Anna Berg", "Anna B"]
    assert site.desk.pages == ["https://shop.example/cards", "https://shop.example/loans"]


async def test_a_message_sent_again_is_acknowledged_again_and_stored_once(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        first = await tab.say("message-1", "hi")
        again = await tab.say("message-1", "hi")
    assert first["t"] == again["t"] == "said"
    assert site.desk.said(session_of(tab.token)) == ["hi"] and len(site.desk.arrivals) == 2


@pytest.mark.parametrize("trouble", [Full(), Unavailable()])
async def test_what_cannot_be_stored_is_refused_with_a_time_to_try_again(
    site: Site, trouble: Full | Unavailable
) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        site.desk.trouble = trouble
        refused = await tab.say("message-1", "hi")
        site.desk.trouble = None
        said = await tab.say("message-1", "hi")
    assert refused["t"] == "refused" and refused["id"] == "message-1" and refused["retry_after_s"] > 0
    assert said["t"] == "said"


async def test_a_visitor_comes_back_to_what_is_newer(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        await tab.say("message-1", "hi")
        token = tab.token
    reply = site.desk.reply(session_of(token), "hello")
    async with tab_at(site) as tab:
        everything = await tab.hello(token)
    async with tab_at(site) as tab:
        newer = await tab.hello(token, last_seq=reply.seq - 1)
    assert [(m["from"], m["text"]) for m in everything["history"]] == [("you", "hi"), ("agent", "hello")]
    assert [m["text"] for m in newer["history"]] == ["hello"] and newer["seq"] == reply.seq


async def test_a_long_history_comes_in_parts_and_in_order(site: Site) -> None:
    token = Signer([KEY]).session_token("0" * 32)
    for number in range(400):
        site.desk.reply("0" * 32, str(number))
    async with tab_at(site) as tab:
        welcome = await tab.hello(token)
        texts = [message["text"] for message in welcome["history"]]
        while len(texts) < 400:
            texts.append((await tab.next("message"))["text"])
    assert texts == [str(number) for number in range(400)]


async def test_what_is_pushed_while_history_is_read_follows_it(site: Site) -> None:
    session = "0" * 32
    token = Signer([KEY]).session_token(session)
    old = site.desk.reply(session, "old")
    site.desk.gate.clear()
    async with tab_at(site) as tab:
        await tab.send(t="hello", session=token, last_seq=0)
        await until(lambda: site.sockets.is_here(session))
        new = site.desk.reply(session, "new")
        assert site.sockets.push(session, new) == 1
        site.desk.gate.set()
        welcome = await tab.next("welcome")
        pushed = await tab.next("message")
    assert welcome["history"][0]["id"] == old.id and pushed["id"] == new.id


async def test_two_tabs_of_a_session_both_get_everything(site: Site) -> None:
    async with tab_at(site) as one, tab_at(site) as two:
        await one.hello()
        await two.hello(one.token)
        await one.say("message-1", "from one")
        echoed = await two.next("message")
        session = session_of(one.token)
        assert site.sockets.push(session, site.desk.reply(session, "to both")) == 2
        texts = [(await tab.next("message"))["text"] for tab in (one, two)]
        site.sockets.push_typing(session, "Maya", True)
        typing = [(await tab.next("typing"))["name"] for tab in (one, two)]
    assert (echoed["id"], echoed["from"], echoed["seq"]) == ("message-1", "you", 0)
    assert texts == ["to both"] * 2 and typing == ["Maya"] * 2


async def test_another_visitor_gets_nothing(site: Site) -> None:
    async with tab_at(site) as one, tab_at(site) as two:
        await one.hello()
        await two.hello()
        assert site.sockets.push(session_of(one.token), site.desk.reply(session_of(one.token), "private")) == 1
        await one.next("message")
        assert (await two.say("message-1", "hi"))["t"] == "said"
    assert session_of(one.token) != session_of(two.token)


async def test_nobody_there_takes_nothing(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        session = session_of(tab.token)
    await until(lambda: not site.sockets.is_here(session))
    assert site.sockets.push(session, site.desk.reply(session, "later")) == 0
    assert site.sockets.open_sockets == 0


async def test_a_forged_session_is_refused_and_a_new_one_can_begin(site: Site) -> None:
    forged = Signer([b"some other signing key"]).session_token("0" * 32)
    site.desk.reply("0" * 32, "not for you")
    async with tab_at(site) as tab:
        refused = await tab.hello(forged)
        fresh = await tab.hello()
    assert refused["code"] == "session"
    assert fresh["t"] == "welcome" and fresh["history"] == [] and session_of(fresh["session"]) != "0" * 32


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None, "https://shop.example.evil.example"])
async def test_a_strange_origin_gets_no_socket(site: Site, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with tab_at(site, origin):
            pass
    assert caught.value.response.status_code == 403


async def test_a_listed_origin_gets_a_socket(site: Site) -> None:
    async with tab_at(site, SHOP) as tab:
        assert (await tab.hello())["t"] == "welcome"


async def test_six_quick_messages_and_the_last_must_wait(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        answers = [await tab.say(f"message-{number}", "hi") for number in range(6)]
        site.clock.now_s += 1
        later = await tab.say("message-5", "hi")
    assert [answer["t"] for answer in answers] == ["said"] * 5 + ["refused"]
    assert answers[5]["code"] == "rate" and answers[5]["retry_after_s"] == 1.0
    assert later["t"] == "said"


async def test_a_second_tab_buys_no_more_messages(site: Site) -> None:
    async with tab_at(site) as one, tab_at(site) as two:
        await one.hello()
        await two.hello(one.token)
        for number in range(5):
            await one.say(f"message-{number}", "hi")
        assert (await two.say("message-9", "hi"))["code"] == "rate"


async def test_typing_and_seen_reach_the_desk(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        session = session_of(tab.token)
        site.sockets.push(session, site.desk.reply(session, "hello"))
        seq = (await tab.next("message"))["seq"]
        await tab.send(t="typing", on=True)
        await tab.send(t="seen", seq=seq + 100)
        await until(lambda: site.desk.seen_marks)
    await until(lambda: len(site.desk.typed) == 2)
    assert site.desk.typed == [(session, True), (session, False)]
    assert site.desk.seen_marks == [(session, seq)]


async def test_what_the_desk_has_read_is_told(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        site.sockets.push_seen(session_of(tab.token), 7)
        assert (await tab.next("seen"))["seq"] == 7


async def test_ten_unreadable_frames_and_the_socket_closes(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        codes = []
        for _ in range(10):
            await tab.connection.send("not a frame")
            codes.append((await tab.next("refused"))["code"])
        assert "could not be read" in (await tab.next("bye"))["reason"]
        with pytest.raises(ConnectionClosed):
            await tab.connection.recv()
    assert codes == ["unreadable"] * 10 and tab.connection.close_code == 1008


async def test_binary_and_early_frames_are_refused(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.send(t="say", id="message-1", text="before hello")
        early = await tab.next("refused")
        await tab.connection.send(b"\x00\x01")
        binary = await tab.next("refused")
        await tab.hello()
        await tab.send(t="hello")
        twice = await tab.next("refused")
    assert [early["code"], binary["code"], twice["code"]] == ["hello_first", "binary", "hello_twice"]


async def test_a_frame_over_32_kib_is_refused_with_the_limit(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        assert "32 KiB" in (await tab.say("message-1", "x" * 33_000))["reason"]


async def test_bye_is_said_before_the_server_stops(site: Site) -> None:
    async with tab_at(site) as tab:
        await tab.hello()
        site.sockets.close("The desk is restarting.")
        assert (await tab.next("bye"))["reason"] == "The desk is restarting."


class TestFewSeats:
    @pytest.fixture
    def settings(self) -> ChatSettings:
        return ChatSettings(sockets_per_address=2, ping_every_s=0.05, silent_s=30.0)

    async def test_a_third_socket_of_an_address_is_refused_until_one_closes(self, site: Site) -> None:
        async with tab_at(site):
            async with tab_at(site):
                with pytest.raises(InvalidStatus) as caught:
                    async with tab_at(site):
                        pass
            await until(lambda: site.sockets.open_sockets == 1)
            async with tab_at(site) as tab:
                assert (await tab.hello())["t"] == "welcome"
        assert caught.value.response.status_code == 429
        assert b"already open from this address" in (caught.value.response.body or b"")

    async def test_a_silent_socket_is_pinged_and_then_given_up(self, site: Site) -> None:
        async with tab_at(site) as tab:
            await tab.hello()
            await tab.next("ping")
            site.clock.now_s += 31
            assert "Nothing was heard" in (await tab.next("bye"))["reason"]

    async def test_a_socket_that_answers_stays(self, site: Site) -> None:
        async with tab_at(site) as tab:
            await tab.hello()
            for _ in range(3):
                site.clock.now_s += 20
                await tab.send(t="pong")
                assert (await tab.say(f"message-{site.clock.now_s}".replace(".", "-"), "here"))["t"] == "said"


class TestBehindAProxy:
    @pytest.fixture
    def settings(self) -> ChatSettings:
        return ChatSettings(sockets_per_address=1, is_behind_proxy=True)

    async def test_visitors_are_counted_by_what_the_proxy_says_last(self, site: Site) -> None:
        async with tab_at(site, forwarded="198.51.100.1"), tab_at(site, forwarded="198.51.100.2"):
            with pytest.raises(InvalidStatus) as caught:
                async with tab_at(site, forwarded="203.0.113.9, 198.51.100.1"):
                    pass
        assert caught.value.response.status_code == 429


class TestShortQueue:
    @pytest.fixture
    def settings(self) -> ChatSettings:
        return ChatSettings(queue_frames=8)

    async def test_a_reader_that_does_not_read_is_cut_off(self, site: Site) -> None:
        async with tab_at(site) as tab:
            await tab.hello()
            session = session_of(tab.token)
            tab.connection.transport.pause_reading()
            heavy = site.desk.reply(session, os.urandom(500_000).hex())  # does not compress
            await until(lambda: site.sockets.push(session, heavy) == 0)
            tab.connection.transport.resume_reading()
            with pytest.raises(ConnectionClosed):
                await read_all(tab)
        assert tab.connection.close_code == 1013


async def test_nothing_written_by_a_customer_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "broker_bridge")
    async with tab_at(site) as tab:
        await tab.hello(name="canary-name", page="https://shop.example/canary-page")
        await tab.say("message-1", "canary-text")
        await tab.connection.send(json.dumps({"v": 1, "t": "say", "id": "canary-id-1", "text": ["canary-text"]}))
        await tab.next("refused")
    with pytest.raises(InvalidStatus):
        async with tab_at(site, "https://canary.example"):
            pass
    assert "canary" not in caplog.text and "127.0.0.1" not in caplog.text and "code=origin" in caplog.text

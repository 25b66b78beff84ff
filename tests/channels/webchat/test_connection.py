"""Web chat as a channel: what it stores, what it tells, and the Protocols it keeps."""

import asyncio

import msgspec
import pytest

from broker_bridge import channel
from broker_bridge.channel import Channel, Outbound, SendFailure, Site, SiteFull, SiteUnavailable, Transcript
from broker_bridge.channels import webchat
from broker_bridge.channels.webchat.connection import SiteDesk, WebChat
from broker_bridge.channels.webchat.desk import Full, StoredFile, Unavailable
from broker_bridge.channels.webchat.frames import Refused, Say
from broker_bridge.contract.envelopes import Said
from broker_bridge.contract.words import File, Words
from tests.channels.webchat.site_in_memory import SiteInMemory

SESSION = "0123456789abcdef" * 2
FILE = StoredFile(digest="d" * 64, name="a.png", media_type="image/png", size_bytes=7)


def reply(text: str) -> Outbound:
    return Outbound(
        message="m-1", conversation="c-1", handle="h-1", address=SESSION, text=text, from_name="Maya", at_ms=5, seq=9
    )


def test_the_package_is_a_channel_kind() -> None:
    module = channel.load("webchat")
    settings = msgspec.convert({"title": "Help", "origins": ["https://shop.example"]}, module.Settings)
    site: Site = SiteInMemory()
    made: Channel = module.make("site-chat", settings, site)
    assert module.CAPABILITIES.word == "chat" and made.name == "site-chat"
    assert {route.path for route in made.routes()} >= {"/chat", "/chat/widget.js", "/chat/socket"}


@pytest.mark.parametrize("wrong", [{"titel": "x"}, {"path": "chat"}, {"says_per_s": 0}, {"origins": [5]}])
def test_a_wrong_setting_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, webchat.Settings)


async def test_a_message_is_stored_under_the_session_and_the_clients_id() -> None:
    site = SiteInMemory()
    desk = SiteDesk("site-chat", site)
    for _ in range(2):
        await desk.intake(SESSION, "client-1", "hi", "Anna", "https://shop.example/cards", [FILE], 7)
    (envelope,) = site.envelopes.values()
    assert (envelope.native, envelope.kind, envelope.channel) == (f"{SESSION}:client-1", "webchat", "site-chat")
    assert isinstance(envelope.item, Said) and envelope.item.scope == "site-chat"
    words = envelope.item.words
    assert isinstance(words, Words) and words.page == "https://shop.example/cards" and words.client_id == "client-1"
    assert words.files == (File(digest="d" * 64, name="a.png", media_type="image/png", size_bytes=7),)


async def test_a_visitor_without_a_name_gets_a_short_one() -> None:
    site = SiteInMemory()
    await SiteDesk("site-chat", site).intake(SESSION, "client-1", "hi", "", "", [], 7)
    (envelope,) = site.envelopes.values()
    assert isinstance(envelope.item, Said) and envelope.item.sender.name == "Visitor 3eb1"


async def test_history_knows_the_visitors_own_messages_by_their_own_ids() -> None:
    site = SiteInMemory()
    desk = SiteDesk("site-chat", site)
    await desk.intake(SESSION, "client-1", "hi", "Anna", "", [], 7)
    line = Transcript(seq=2, id="m-2", is_theirs=False, name="Maya", text="hello", at_ms=8)
    site.lines["site-chat", "site-chat", SESSION].append(line)
    told = await desk.history(SESSION, 0)
    assert [(one.id, one.sender, one.seq) for one in told] == [("client-1", "you", 1), ("m-2", "agent", 2)]
    assert [one.id for one in await desk.history(SESSION, 1)] == ["m-2"]


async def test_a_file_is_fetched_only_in_its_own_conversation() -> None:
    site = SiteInMemory()
    desk = SiteDesk("site-chat", site)
    stored = await desk.store_file(b"picture", "a.png", "image/png")
    await desk.intake(SESSION, "client-1", "", "", "", [stored], 7)
    assert await desk.load_file(SESSION, stored.digest) == (b"picture", "a.png", "image/png")
    assert await desk.load_file("f" * 32, stored.digest) is None


@pytest.mark.parametrize(("trouble", "meant"), [(SiteFull(), Full), (SiteUnavailable(), Unavailable)])
async def test_troubles_of_the_site_are_told_to_the_sockets(trouble: SiteFull, meant: type[Exception]) -> None:
    site = SiteInMemory()
    site.trouble = trouble
    desk = SiteDesk("site-chat", site)
    with pytest.raises(meant):
        await desk.intake(SESSION, "client-1", "hi", "", "", [], 7)
    with pytest.raises(meant):
        await desk.store_file(b"x", "a.txt", "text/plain")


async def test_signs_go_to_the_site_in_the_channels_scope() -> None:
    site = SiteInMemory()
    desk = SiteDesk("site-chat", site)
    await desk.typing(SESSION, True)
    await desk.seen(SESSION, 4)
    assert site.typed == [("webchat", "site-chat", SESSION, True)]
    assert site.read == [("site-chat", "site-chat", SESSION, 4)]


async def test_a_reply_is_told_to_every_bridge() -> None:
    site, told = SiteInMemory(), list[bytes]()
    one, two = (WebChat("site-chat", webchat.Settings(), site, lambda: 0.0) for _ in range(2))
    site.heard = [one.heard, two.heard, told.append]
    assert await one.send(reply("x" * 8000)) == ""
    await one.show_typing(SESSION, "Maya", True)
    one.heard(b"nothing that a bridge would say")
    assert len(told) == 2 and SESSION.encode() in told[0]


async def test_a_reply_that_cannot_be_told_is_tried_again() -> None:
    site = SiteInMemory()
    site.trouble = SiteUnavailable()
    with pytest.raises(SendFailure) as caught:
        await WebChat("site-chat", webchat.Settings(), site, lambda: 0.0).send(reply("hi"))
    assert caught.value.retryable


async def test_listening_is_ready_at_once_and_ends_when_told() -> None:
    ready = asyncio.Event()
    chat = WebChat("site-chat", webchat.Settings(), SiteInMemory(), lambda: 0.0)
    listening = asyncio.create_task(chat.listen(ready.set))
    async with asyncio.timeout(10):
        await ready.wait()
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening


async def test_a_plain_origin_is_named_by_check() -> None:
    settings = webchat.Settings(origins=("http://shop.example", "https://shop.example"))
    (sentence,) = await WebChat("site-chat", settings, SiteInMemory(), lambda: 0.0).check()
    assert "http://shop.example" in sentence


def test_decode_shows_a_frame_or_its_refusal() -> None:
    assert isinstance(webchat.describe(b'{"v":1,"t":"say","id":"client-1","text":"hi"}'), Say)
    assert isinstance(webchat.describe(b"\xff"), Refused)

"""What an IMAP server may say, and one that misbehaves: every answer understood or the connection lost, never a wait without an end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from broker_bridge.channels.email import imapwire
from broker_bridge.channels.email.imap import ImapLost, Mailbox, Size
from broker_bridge.channels.email.imapwords import fetched, quoted
from broker_bridge.channels.email.settings import Imap
from tests.servers.imap import HANG_UP, SAY_NOTHING, Script, scripted
from tests.until import until


def imap(script: Script, **more: object) -> Imap:
    fields: dict[str, object] = {"password": "env:MAIL", "tls": "none", "timeout_s": 10.0, **more}
    return Imap(host="127.0.0.1", port=script.port, user="support", **fields)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def opened(script: Script, secret: str = "secret", **more: object) -> AsyncIterator[Mailbox]:
    async with scripted(script), asyncio.timeout(30):
        mailbox = await Mailbox.open(imap(script, **more), secret)
        try:
            yield mailbox
        finally:
            await mailbox.close()


async def test_numbers_are_read_out_of_several_answers_and_other_words_between_them() -> None:
    said = b"* search 9 7\r\n* 4 EXISTS\r\n* FLAGS (\\Seen)\r\n* SEARCH\r\n* SEARCH 12 3 x 12\r\nTAG OK done\r\n"
    script = Script(answers={"UID SEARCH": said})
    async with opened(script) as mailbox:
        assert await mailbox.uids_after(6) == [7, 9, 12]
        assert await mailbox.uids_after(6, since_s=1_795_000_000) == [7, 9, 12]
    assert "UID SEARCH UID 7:*" in script.heard and "UID SEARCH UID 7:* SINCE 18-Nov-2026" in script.heard


async def test_sizes_come_in_any_order_of_fields() -> None:
    said = (
        b'* 1 FETCH (UID 7 RFC822.SIZE 300 INTERNALDATE "17-Jul-1996 02:44:25 -0700")\r\n'
        b"* 2 FETCH (FLAGS (\\Seen $x) INTERNALDATE NIL rfc822.size 5 UID 9)\r\n"
        b"* 3 FETCH (FLAGS ())\r\n* 4 FETCH (UID 10\r\n* 5 FETCH (UID 11 RFC822.SIZE many)\r\nTAG OK done\r\n"
    )
    async with opened(Script(answers={"UID FETCH": said})) as mailbox:
        assert await mailbox.sizes([7, 9, 10, 11]) == {
            7: Size(uid=7, size_bytes=300, at_s=837_596_665),
            9: Size(uid=9, size_bytes=5, at_s=0),
        }


@pytest.mark.parametrize(
    ("said", "source"),
    [
        (b"* 1 FETCH (UID 7 BODY[] {10}\r\nA: b\r\n\r\n.))\r\n", b"A: b\r\n\r\n.)"),
        (b"* 1 FETCH (BODY[] {4}\r\nabcd UID 7)\r\n", b"abcd"),
        (b"* 1 FETCH (UID 7 BODY[] {0}\r\n)\r\n", b""),
        (b'* 1 FETCH (UID 7 BODY[] "a \\"b\\" \\\\ (c")\r\n', b'a "b" \\ (c'),
        (b"* 1 FETCH (UID 7 BODY[] {17}\r\nx\r\nW4 OK done\r\n* )\r\n", b"x\r\nW4 OK done\r\n* "),
        (b"* 1 FETCH (UID 6 BODY[] {3}\r\nold)\r\n* 2 FETCH (UID 7 BODY[] {3}\r\nnew)\r\n", b"new"),
        (b"* 1 FETCH (UID 7 FLAGS (\\Seen))\r\n* 1 FETCH (UID 7 BODY[] {3}\r\nNIL)\r\n", b"NIL"),
        (b"* 1 FETCH (UID 7 BODY[] NIL)\r\n", None),
        (b"* 1 FETCH (UID 7 BODY[] (a))\r\n", None),
        (b"* OK a sentence that ends as {12}\r\n", None),
        (b"* 1 EXPUNGE\r\n", None),
    ],
)
async def test_a_source_is_exactly_what_stands_in_the_answer(said: bytes, source: bytes | None) -> None:
    script = Script(answers={"UID FETCH": said + b"TAG OK done\r\n"})
    async with opened(script) as mailbox:
        assert await mailbox.source(7) == source
        assert await mailbox.uids_after(0) == []
    assert "UID FETCH 7 (UID BODY.PEEK[])" in script.heard


async def test_an_answer_may_come_in_pieces_of_one_byte() -> None:
    said = b"* 1 FETCH (UID 7 BODY[HEADER] {6}\r\nA: b\r\n)\r\nW5 OK done\r\n"

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK hello\r\n")
        for answer in (b"W1 OK\r\n", b"W2 OK\r\n", b"W3 OK\r\n", b"* OK [UIDVALIDITY 1]\r\nW4 OK\r\n", said):
            heard = await reader.readline()
            while heard.endswith(b"}\r\n"):
                writer.write(b"+ \r\n")
                heard = await reader.readline()
            for place in range(len(answer)):
                writer.write(answer[place : place + 1])
                await asyncio.sleep(0)
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    try:
        script = Script(port=server.sockets[0].getsockname()[1])
        mailbox = await Mailbox.open(imap(script), "secret")
        assert await mailbox.source(7, header_only=True) == b"A: b\r\n"
        await mailbox.close()
    finally:
        server.close()


async def test_announcements_are_counted_whatever_they_answer_and_repetitions_are_not() -> None:
    said = [b"* 4 EXISTS\r\n* 1 RECENT\r\nTAG OK\r\n", b"* 4 EXISTS\r\n* 1 RECENT\r\nTAG OK\r\n"]
    said += [b"* 2 EXPUNGE\r\n* 4 exists\r\nTAG OK\r\n"]
    async with opened(Script(answers={"UID SEARCH": said})) as mailbox:
        before = mailbox.news
        counts: list[int] = []
        while len(counts) < 3:
            await mailbox.uids_after(0)
            counts.append(mailbox.news - before)
        assert counts == [1, 1, 2]


async def test_idle_ends_at_once_with_news_that_came_before_its_own_answer() -> None:
    script = Script(answers={"IDLE": b"* 4 EXISTS\r\n+ idling\r\n", "UID SEARCH": b"* SEARCH 4\r\nTAG OK\r\n"})
    async with opened(script) as mailbox:
        await mailbox.wait_for_news()
        assert await mailbox.uids_after(3) == [4]


async def test_idle_is_renewed_and_half_a_word_is_not_lost_by_it() -> None:
    script = Script(answers={"IDLE": b"+ idling\r\n* 4 EXI", "DONE": [b"STS\r\nTAG OK\r\n", b"STS\r\nTAG OK\r\n"]})
    async with opened(script, renew_s=0.05) as mailbox:
        before = mailbox.news
        await mailbox.wait_for_news()
        assert mailbox.news == before + 1
        await mailbox.wait_for_news()
    assert script.heard.count("IDLE") == 2


@pytest.mark.parametrize(
    "said", [HANG_UP, b"+ idling\r\n* BYE restart\r\n", b"TAG NO not now\r\n", b"+ idling\r\nTAG OK\r\n"]
)
async def test_an_idle_that_the_server_ends_is_a_lost_connection(said: bytes) -> None:
    async with opened(Script(answers={"IDLE": said})) as mailbox:
        with pytest.raises(ImapLost):
            await mailbox.wait_for_news()


@pytest.mark.parametrize(
    "said",
    [
        SAY_NOTHING,
        HANG_UP,
        b"* BYE\r\n",
        b"TAG NO\r\n",
        b"TAG BAD what\r\n",
        b"+ more\r\n",
        b"* 1 FETCH (UID 7 BODY[] {99}\r\nab",
    ],
)
async def test_a_command_without_a_good_end_is_a_lost_connection(said: bytes) -> None:
    async with opened(Script(answers={"UID FETCH": said}), timeout_s=0.3) as mailbox:
        with pytest.raises(ImapLost):
            await mailbox.source(7)


async def test_a_line_or_mail_beyond_all_bounds_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imapwire, "MAX_LINE_BYTES", 100_000)
    answers: dict[str, bytes | list[bytes]] = {
        "UID SEARCH": b"* SEARCH" + b" 1" * 200_000,
        "UID FETCH": b"* 1 FETCH (UID 7 BODY[] {999999999}\r\n",
    }
    async with opened(Script(answers=answers)) as mailbox:
        with pytest.raises(ImapLost, match="endless"):
            await mailbox.uids_after(0)
    async with opened(Script(answers=answers)) as mailbox:
        with pytest.raises(ImapLost, match="more than a mail"):
            await mailbox.source(7)


@pytest.mark.parametrize("word", ["UID FETCH", "IDLE"])
async def test_a_cancelled_wait_closes_the_connection_at_once_and_says_nothing_more(word: str) -> None:
    script = Script(answers={"UID FETCH": SAY_NOTHING})
    async with scripted(script):
        mailbox = await Mailbox.open(imap(script, timeout_s=600.0), "secret")
        task = asyncio.create_task(mailbox.wait_for_news() if word == "IDLE" else mailbox.source(7))
        await until(lambda: script.heard[-1].startswith(word))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ImapLost, match="cut short"):
            await mailbox.uids_after(0)
        await mailbox.close()
        await until(lambda: script.closed == 1)
    assert script.heard[-1].startswith(word)


@pytest.mark.parametrize("greeting", [SAY_NOTHING[:0], b"* BYE too many\r\n"])
async def test_a_server_that_does_not_greet_is_lost(greeting: bytes) -> None:
    with pytest.raises(ImapLost):
        async with opened(Script(greeting=greeting), timeout_s=0.2):
            pass


async def test_a_large_copy_reaches_the_folder_unchanged() -> None:
    raw = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 50_000
    script = Script()
    async with opened(script) as mailbox:
        await mailbox.append('Sent "all"', raw)
    assert 'APPEND "Sent \\"all\\"" (\\Seen) {}' in script.heard and script.literals == [raw]


async def test_a_copy_for_a_folder_that_is_not_there_is_lost_before_it_is_sent() -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK hello\r\n")
        for answer in (b"W1 OK", b"W2 OK", b"W3 OK", b"* OK [UIDVALIDITY 1]\r\nW4 OK", b"W5 NO [TRYCREATE]", b"* BYE"):
            while (await reader.readline()).endswith(b"}\r\n") and not answer.startswith(b"W5"):
                writer.write(b"+ \r\n")
            writer.write(answer + b"\r\n")
        writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    try:
        mailbox = await Mailbox.open(imap(Script(port=server.sockets[0].getsockname()[1])), "secret")
        with pytest.raises(ImapLost, match="NO to append"):
            await mailbox.append("Gone", b"x")
        await mailbox.close()
    finally:
        server.close()


def test_a_nested_or_broken_answer_ends_without_a_mail() -> None:
    deep = b"* 1 FETCH " + b"(" * 10_000
    broken = (
        b'* 1 FETCH (UID "7)',
        b"* 1 FETCH (UID 7))",
        b"* 1 FETCH (UID {3}",
        b"* 1 FETCH ",
        deep,
        deep + b")" * 10_000,
    )
    assert list(fetched((one,) for one in broken)) == []
    assert list(fetched([(b"* 1 FETCH (UID 7 X (1 (2 NIL)))",)])) == [{b"UID": b"7", b"X": [b"1", [b"2", None]]}]


@pytest.mark.parametrize("name", ["a\r\nW9 LOGOUT", "\0", "ä"])
def test_a_name_never_becomes_a_second_command(name: str) -> None:
    with pytest.raises(ValueError):
        quoted(name)

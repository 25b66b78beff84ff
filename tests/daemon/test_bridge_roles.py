"""Nobody reads or writes outside their role; a supervisor's silent read and every refusal leave a record first."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from broker_bridge.contract import codec
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.daemon import admin, visiting
from broker_bridge.daemon.audit import Record
from broker_bridge.daemon.wire import BusError
from tests.daemon.site import Site, item
from tests.until import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

_records = msgspec.json.Decoder(Record)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    made.configure()
    await made.start()
    await made.enroll("maya", capacity=50)
    await made.enroll("omar", capacity=50, queues=("sales",))
    await made.enroll("olga", role="supervisor")
    yield made
    made.kill()
    assert "request failed" not in made.said(), made.said()


async def _case(site: Site, who: str, **more: object) -> str:
    """A case that Maya answers."""
    await site.insist([item(who, f"{who}@shop.example", f"question of {who}", **more)])
    async with site.agent("maya") as maya:
        row = await maya.row(f"question of {who}")
        await maya.accept(row.conv)
    return row.conv


async def _records_of(site: Site, who: str) -> list[Record]:
    found = []
    async with site.bus() as bus:
        async for one in visiting.all_items(bus, "AUDIT", "cc.audit.>"):
            record = _records.decode(one.body)
            if record.who == who:
                found.append(record)
    return found


async def test_a_desk_cannot_command_in_the_name_of_another(site: Site) -> None:
    conv = await _case(site, "forged")
    note = c.Note(id="01hf7yat00000100000009999", conversation=conv, text="written by another")
    async with site.agent("omar") as omar:
        with pytest.raises(BusError):
            await omar.bus.request("cc.do.maya.note", codec.encode(note), 1.0)
        await until(lambda: omar.bus.refusals, saying="the broker says no")
    async with site.agent("maya") as maya:
        assert "written by another" not in [one.text for one in (await maya.thread(conv)).items]


async def test_a_desk_hears_no_feed_but_its_own_and_no_stream(site: Site) -> None:
    heard: list[str] = []
    async with site.agent("omar") as omar:
        for subject in ("cc.view.maya.>", "cc.log.>", "cc.in.>", "cc.sig.>", "cc.do.>", "_INBOX_maya.>", ">"):
            await omar.bus.listen(subject, lambda subject, _: heard.append(subject))
        for subject in (
            "$JS.API.STREAM.INFO.LOG",
            "cc.log.conv.x",
            "cc.in.fake.fake.1",
            "$KV.keys.x",
            "cc.sig.watch.0",
        ):
            with pytest.raises(BusError):
                await omar.bus.request(subject, b"{}", 0.3)
        await _case(site, "overheard")
        await until(lambda: len(omar.bus.refusals) >= 10, saying="every attempt is refused")
    assert heard == []


async def test_whoever_does_not_own_a_case_gets_it_with_masked_addresses(site: Site) -> None:
    conv = await _case(site, "anna.berg", name="Anna anna.berg@shop.example")
    address = "anna.berg@shop.example"
    async with site.agent("omar") as omar, site.agent("maya") as maya, site.agent("olga") as olga:
        for agent, is_whole in ((omar, False), (maya, True), (olga, True)):
            told = [
                await agent.thread(conv),
                await agent.get(c.ProfileOf(conversation=conv), v.Profile),
                await agent.get(c.Search(text="question of anna.berg"), v.RowPage),
                await agent.get(c.Rows(view="all"), v.RowPage),
            ]
            assert [address in codec.encode(one).decode() for one in told] == [is_whole] * 2 + [is_whole] * 2, (
                agent.name
            )


async def test_the_owner_alone_answers_and_is_named_in_the_refusal(site: Site) -> None:
    conv = await _case(site, "owned")
    async with site.agent("omar") as omar:
        reply = c.Reply(id=omar.new_id(), conversation=conv, text="mine!", channel="fake", anyway=True)
        refused = await omar.get(reply, c.Refusal)
        assert refused.code == "not_yours" and "Maya" in refused.sentence
        for wish in (
            c.Close(id=omar.new_id(), conversation=conv, disposition="solved"),
            c.Transfer(id=omar.new_id(), conversation=conv, to_agent="omar"),
            c.TakeBack(id=omar.new_id(), conversation=conv),
        ):
            assert (await omar.get(wish, c.Refusal)).code == "not_yours"
    verbs = [(one.what, one.about, one.code) for one in await _records_of(site, "omar")]
    assert {("refused", verb, "not_yours") for verb in ("reply", "close", "transfer", "take_back")} <= set(verbs)
    assert not [one for one in site.provider() if one["text"] == "mine!"]


async def test_an_agent_takes_nothing_from_a_queue_that_is_not_theirs(site: Site) -> None:
    await site.insist([item("queued", "q@shop.example", "question for support")])
    async with site.agent("omar") as omar:
        row = await omar.row("question for support")
        assert "accept" not in row.verbs
        refused = await omar.get(c.Accept(id=omar.new_id(), conversation=row.conv), c.Refusal)
        assert refused.code == "denied"


async def test_a_file_is_given_in_its_own_conversation_only(site: Site) -> None:
    digest, other = "ab" * 32, "cd" * 32
    conv = await _case(site, "files", files=[digest])
    await _case(site, "otherfiles", files=[other])
    async with site.agent("maya") as maya:
        known = await maya.get(c.FilePart(conversation=conv, digest=digest), c.Refusal)
        assert "no longer kept" in known.sentence
        for foreign in (other, "", "ef" * 32, "%", "../" + digest):
            refused = await maya.get(c.FilePart(conversation=conv, digest=foreign), c.Refusal)
            assert refused.sentence == "There is no such file in this conversation.", foreign


async def test_a_message_is_given_in_its_own_conversation_only(site: Site) -> None:
    conv, other = await _case(site, "whole1"), await _case(site, "whole2")
    async with site.agent("maya") as maya:
        first = (await maya.thread(conv)).items[0]
        assert (await maya.get(c.Message(conversation=conv, message=first.id), v.Text)).text == "question of whole1"
        refused = await maya.get(c.Message(conversation=other, message=first.id), c.Refusal)
        assert refused.code == "unknown"


async def test_a_silent_read_is_a_supervisors_and_is_recorded(site: Site) -> None:
    conv = await _case(site, "silent")
    async with site.agent("maya") as maya, site.agent("olga") as olga:
        refused = await maya.get(c.Thread(conversation=conv, silent=True), c.Refusal)
        assert refused.code == "denied"
        await olga.get(c.Thread(conversation=conv, silent=True, watch=True), v.ThreadPage)
        assert ("read", conv) in [(one.what, one.about) for one in await _records_of(site, "olga")]
        assert ("refused", "thread", "denied") in [
            (one.what, one.about, one.code) for one in await _records_of(site, "maya")
        ]
        assert next(row for row in await maya.rows("mine") if row.conv == conv).viewers == ()


async def test_records_of_one_boot_are_a_chain_without_a_hole(site: Site) -> None:
    bodies: dict[str, list[bytes]] = {}
    async with site.bus() as bus:
        async for one in visiting.all_items(bus, "AUDIT", "cc.audit.>"):
            bodies.setdefault(one.subject, []).append(one.body)
    for chain in bodies.values():
        records = [_records.decode(body) for body in chain]
        assert [one.n for one in records] == list(range(1, len(records) + 1))
        before = ["", *(hashlib.sha256(body).hexdigest() for body in chain)]
        assert [one.before for one in records] == before[:-1]


async def test_a_command_names_its_agent_and_its_id_in_the_log(site: Site) -> None:
    conv = await _case(site, "named")
    async with site.agent("maya") as maya:
        note = c.Note(id=maya.new_id(), conversation=conv, text="who wrote this?")
        await maya.get(note, c.Done)
    (entry,) = [entry for _, _, entry in await site.log() if entry.command == note.id]
    assert entry.by == "agent:maya" and isinstance(entry.facts[0], f.Noted) and entry.facts[0].agent == "maya"


async def test_broken_requests_are_refused_with_a_sentence_and_recorded(site: Site) -> None:
    async with site.agent("maya") as maya:
        for verb, body in (
            ("note", b""),
            ("note", b"\xff\xfe"),
            ("note", b"[]"),
            ("note", b'{"verb":"reply"}'),
            ("levitate", b'{"verb":"levitate"}'),
            ("note", codec.encode(c.Directory())),
            ("note", b'{"verb":"note","id":"1","conversation":"' + b"x" * 1000 + b'","text":"a"}'),
            ("thread", b'{"verb":"thread","conversation":"no such thing.>"}'),
            ("rows", b'{"verb":"rows","view":"all","start":-5,"limit":-1}'),
            ("draft", b'{"verb":"draft","conversation":"a b.*","text":"x"}'),
        ):
            answer = codec.answer(await maya.bus.request(f"cc.do.maya.{verb}", body, 10.0))
            assert isinstance(answer, (c.Refusal, v.RowPage)), (verb, body, answer)
            if isinstance(answer, c.Refusal):
                assert answer.sentence.endswith(".") and answer.code != "broken", (verb, body, answer)
        await maya.get(c.Directory(), v.DirectoryView)


async def test_someone_who_was_dismissed_is_cut_off(site: Site) -> None:
    await site.enroll("temp")
    async with site.agent("temp") as temp:
        await temp.get(c.Directory(), v.DirectoryView)
        await admin.agent_remove(site.config, "temp")

        async def is_out() -> bool:
            try:
                answer = codec.answer(await temp.bus.request("cc.do.temp.directory", codec.encode(c.Directory()), 1.0))
            except BusError:
                return True
            return isinstance(answer, c.Refusal) and answer.code == "denied"

        await until(is_out, saying="the dismissed agent is out")

    async def is_shut() -> bool:
        bus = await site._connect("temp")
        if bus is not None:
            await bus.close()
        return bus is None

    await until(is_shut, saying="the broker no longer lets them in")

"""What an agent may not break: found by reading the desk, the feeds and the views as somebody who wants to."""

import asyncio

import pytest

from broker_bridge.contract import codec
from broker_bridge.contract import commands as c
from broker_bridge.contract import facts as f
from broker_bridge.contract import views as v
from broker_bridge.contract.words import Address, Words
from broker_bridge.daemon.audit import Audit
from broker_bridge.daemon.wire import Outgoing, Stored, Unknown
from tests.daemon.small_house import NOW_MS, Log, Small, message

INJECTED = "x 5\r\nhello\r\nPUB cc.log.conv.stolen"


async def house(*cases: str) -> Small:
    small = Small()
    for agent in ("ann", "bob"):
        small.enroll(agent)
    small.enroll("olga", role="supervisor")
    for case in cases:
        small.case(case)
    await small.catch_up()
    return small


async def ask(small: Small, agent: str, request: c.Request) -> v.Answer:
    return await small.ask(agent, request)


async def sign_in(small: Small, agent: str) -> None:
    """That somebody came is a fact."""
    writing = await running(small)
    try:
        assert isinstance(await ask(small, agent, c.Hello()), v.Welcome)
    finally:
        writing.cancel()


@pytest.mark.parametrize("name", [INJECTED, "a b", "a.b", ">", "", "x" * 65])
async def test_a_conversation_that_is_no_word_of_a_subject_never_reaches_the_broker(name: str) -> None:
    small = await house()
    for request in (
        c.Draft(conversation=name, text="hello"),
        c.Typing(conversation=name, on=True),
        c.Unwatch(conversation=name),
        c.Thread(conversation=name),
        c.Note(id="n1", conversation=name, text="hello"),
    ):
        answer = await ask(small, "ann", request)
        assert isinstance(answer, c.Refusal)
        assert answer.code == "unknown"
    assert not small.drafts.values
    assert not small.told


async def test_a_draft_of_no_conversation_is_not_kept() -> None:
    small = await house()
    answer = await ask(small, "ann", c.Draft(conversation="nothing-like-it", text="hello"))
    assert isinstance(answer, c.Refusal)
    assert not small.drafts.values


@pytest.mark.parametrize("name", ["", "i" * 65])
async def test_a_command_without_a_usable_id_is_refused(name: str) -> None:
    """Without an id two replies would be one message, and the second would take the first one's place."""
    small = await house("case1")
    answer = await ask(small, "ann", c.Note(id=name, conversation="case1", text="hello"))
    assert isinstance(answer, c.Refusal)
    assert answer.code == "bad"


async def test_a_repeated_command_is_done_although_the_log_is_nearly_full_now() -> None:
    small = await house("case1")
    note = c.Note(id="n1", conversation="case1", text="hello")
    writing = await running(small)
    try:
        assert isinstance(await ask(small, "ann", note), c.Done)
        small.desk.is_full = True
        assert isinstance(await ask(small, "ann", note), c.Done)
        refused = await ask(small, "ann", c.Note(id="n2", conversation="case1", text="hello"))
        assert isinstance(refused, c.Refusal)
        assert refused.code == "full"
    finally:
        writing.cancel()


def corrected(name: str, field: str = "name") -> c.Describe:
    return c.Describe(id=name, conversation="case1", customer="cust-case1", field=field, text="Anna Holm")


async def test_a_correction_of_a_customer_is_a_command_like_any_other_when_the_log_is_nearly_full() -> None:
    small = await house("case1")
    writing = await running(small)
    try:
        assert isinstance(await ask(small, "olga", corrected("d1")), c.Done)
        small.desk.is_full = True
        assert isinstance(await ask(small, "olga", corrected("d1")), c.Done)
        assert (await small.refused("olga", corrected("d2"))).code == "full"
        assert len(small.facts("cust", "cust-case1")) == 1
    finally:
        writing.cancel()


async def test_a_correction_that_is_refused_leaves_a_record() -> None:
    small = await house("case1")
    small.log.put("conv", "case1", f.Accepted(agent="bob", epoch=1))
    await small.catch_up()
    assert (await small.refused("ann", corrected("d1"))).code == "denied"
    assert (await small.refused("olga", corrected("d2", "shoe size"))).code == "bad"
    records = [item.body for item in small.log.items if item.subject.startswith("cc.audit.")]
    assert [b"describe" in body and b"refused" in body for body in records] == [True, True]


async def running(small: Small) -> asyncio.Task[None]:
    return asyncio.create_task(small.writer.run())


async def test_a_thread_says_that_there_is_more_and_pages_without_a_hole() -> None:
    small = await house("case1")
    for number in range(240):
        small.log.put("conv", "case1", message(f"case1-{number}", text=f"number {number}"))
    await small.catch_up()
    seen: list[str] = []
    before: int | None = None
    for _ in range(30):
        page = await ask(small, "ann", c.Thread(conversation="case1", before=before, limit=50))
        assert isinstance(page, v.ThreadPage)
        seen = [item.id for item in page.items] + seen
        if not page.has_more:
            break
        before = page.items[0].seq
    assert len(seen) == len(set(seen)) == 241


async def test_items_of_one_entry_are_not_parted_by_a_page() -> None:
    small = await house("case1")
    for number in range(10):
        small.log.put("conv", "case1", message(f"case1-{number}a"), message(f"case1-{number}b"))
    await small.catch_up()
    for limit in (1, 2, 3, 4, 5):
        seen: list[str] = []
        before: int | None = None
        for _ in range(30):
            page = await ask(small, "ann", c.Thread(conversation="case1", before=before, limit=limit))
            assert isinstance(page, v.ThreadPage)
            seen = [item.id for item in page.items] + seen
            if not page.has_more:
                break
            before = page.items[0].seq
        assert len(seen) == len(set(seen)) == 21, limit


async def test_a_thread_opens_with_a_long_draft_and_long_messages_in_a_script_of_three_bytes() -> None:
    small = await house("case1")
    for number in range(8):
        small.log.put("conv", "case1", message(f"case1-{number}", text="語" * 20_000))
    await small.catch_up()
    kept = await ask(small, "ann", c.Draft(conversation="case1", text="語" * 40_000))
    assert isinstance(kept, c.Done)
    page = await ask(small, "ann", c.Thread(conversation="case1"))
    assert isinstance(page, v.ThreadPage)
    assert page.draft is not None
    assert page.draft.text == "語" * 40_000
    assert page.items
    assert page.has_more


async def test_one_message_of_control_characters_and_thousands_of_people_still_opens() -> None:
    small = await house("case1")
    crowd = tuple(Address(address=f"someone-{n}@a-rather-long-name.example", name="x" * 40) for n in range(2_000))
    big = f.Received(
        message="big",
        item="item-big",
        handle="hand-case1",
        channel="support",
        channel_kind="email",
        words=Words(text="\x01" * 20_000, quote="\x02" * 20_000, address="anna@example.se", cc=crowd),
    )
    small.log.put("conv", "case1", big)
    await small.catch_up()
    page = await ask(small, "ann", c.Thread(conversation="case1"))
    assert isinstance(page, v.ThreadPage)
    assert page.items[-1].id == "big"
    assert page.items[-1].is_cut


async def test_a_watched_thread_tells_what_the_page_did_not_have_yet() -> None:
    """The state knows of an entry before the read model has its item: the watch must begin below it."""
    small = await house("case1")
    await sign_in(small, "ann")
    writing = await running(small)
    try:
        await ask(small, "bob", c.Note(id="n1", conversation="case1", text="not followed yet"))
    finally:
        writing.cancel()
    page = await ask(small, "ann", c.Thread(conversation="case1", watch=True))
    assert isinstance(page, v.ThreadPage)
    assert [item.kind for item in page.items] == ["them"]
    small.home.watch("ann", "case1", page.upto, True)
    await small.catch_up()
    small.told.clear()
    await small.home.flush(small.home.feeds["ann"])
    items = [item for subject, body in small.told if ".thread." in subject for item in codec.thread_feed(body).items]
    assert [item.kind for item in items] == ["note"]


async def test_an_address_in_the_place_of_a_name_is_masked_everywhere() -> None:
    small = await house()
    small.log.put(
        "conv",
        "case1",
        f.Opened(customer="cust", handle="hand-case1", channel="support", channel_kind="email", queue="orders"),
        message("case1", sender="'Anna.Berg@Example.se' via desk", address="anna.berg@example.se"),
        f.Accepted(agent="bob", epoch=1),
    )
    small.log.put("cust", "cust", f.Created(words=Words(name="Anna.Berg@example.se")))
    await small.catch_up()
    for request in (
        c.Rows(view="all"),
        c.Thread(conversation="case1"),
        c.ProfileOf(conversation="case1"),
        c.Directory(),
        c.Search(text="hello"),
    ):
        told = codec.encode(await ask(small, "ann", request)).decode().lower()
        assert "anna.berg" not in told, request
        own = codec.encode(await ask(small, "bob", request)).decode().lower()
        assert "anna" in own, request


async def test_every_read_of_a_supervisor_leaves_a_record_unless_the_case_is_their_own() -> None:
    small = await house("case1")
    await ask(small, "olga", c.Thread(conversation="case1"))
    await ask(small, "olga", c.Message(conversation="case1", message="message-case1"))
    await ask(small, "ann", c.Thread(conversation="case1"))
    records = [item.body for item in small.log.items if item.subject.startswith("cc.audit.")]
    assert len(records) == 2
    assert all(b'"read"' in body and b'"olga"' in body and b"case1" in body for body in records)


async def test_a_record_whose_end_is_unknown_is_written_before_the_next_one() -> None:
    """Under the same number the broker would drop the second record as a duplicate of the first."""

    class Forgetful(Log):
        """Keeps message ids as a stream does; the first answer is lost."""

        def __init__(self) -> None:
            super().__init__()
            self.ids: set[str] = set()

        async def publish(self, msg: Outgoing, timeout_s: float = 5.0) -> Stored:
            name = msg.headers["Nats-Msg-Id"]
            if name in self.ids:
                return Stored(1, True)
            self.ids.add(name)
            stored = await super().publish(msg)
            if len(self.ids) == 1:
                raise Unknown("no answer")
            return stored

    log = Forgetful()
    audit = Audit(log, "boot", lambda: NOW_MS)
    with pytest.raises(Unknown):
        await audit.read("olga", "case1")
    await audit.read("olga", "case2")
    about = [item.body for item in log.items]
    assert len(about) == 2
    assert b"case1" in about[0]
    assert b"case2" in about[1]


async def test_a_feed_outlives_an_agent_who_is_dismissed_while_it_is_told() -> None:
    small = await house(*(f"case{n}" for n in range(3)))
    await sign_in(small, "ann")

    small.home.announce(small.home.feeds["ann"])
    await small.home.flush(small.home.feeds["ann"])
    small.home.touch("case0")
    small.home.watch("ann", "case0", 0, True)

    def dismiss() -> None:
        enrolled = small.staff.active.get("ann")
        if enrolled is not None:
            enrolled.is_active = False

    small.while_telling = dismiss
    await small.home.flush(small.home.feeds["ann"])
    small.while_telling = None
    assert isinstance(await ask(small, "ann", c.Alive()), c.Refusal)


async def test_a_thread_that_is_left_while_another_is_told_stops_nothing() -> None:
    small = await house("case1", "case2")
    await sign_in(small, "ann")
    feed = small.home.feeds["ann"]
    for case in ("case1", "case2"):
        small.home.watch("ann", case, 0, True)

    def leave() -> None:
        for case in ("case1", "case2"):
            small.home.watch("ann", case, 0, False)

    small.while_telling = leave
    feed.is_counted = False
    feed.is_new = False
    feed.dirty.clear()
    await small.home.flush(feed)


async def test_what_nobody_has_on_screen_takes_no_memory() -> None:
    small = await house("case1", "case2")
    await sign_in(small, "ann")
    await small.home.flush(small.home.feeds["ann"])
    small.home.watch("ann", "case1", 0, True)
    await ask(small, "ann", c.Rows(view="all"))
    assert small.home.feeds["ann"].paged == {"case1", "case2"}
    small.home.close("ann")
    assert not small.home._known_by
    assert not small.home._watched_by


async def test_a_queue_that_is_no_longer_configured_is_still_seen() -> None:
    small = await house()
    small.case("case1", queue="abolished")
    await small.catch_up()
    answer = await ask(small, "ann", c.Directory())
    assert isinstance(answer, v.DirectoryView)
    assert {one.queue: one.waiting for one in answer.queues} == {"orders": 0, "abolished": 1}


async def test_a_search_for_what_sqlite_calls_syntax_is_a_search() -> None:
    small = await house("case1")
    for text in ('a"b*c', "\x00abc", "\x00", "NEAR(", "ab\x00cd", "-hello", "hel* OR", "%_\\"):
        answer = await ask(small, "ann", c.Search(text=text))
        assert isinstance(answer, v.RowPage), text


async def test_a_draft_told_to_a_bridge_whose_clock_is_behind_is_the_newest_all_the_same() -> None:
    """Two machines an hour apart: it said that the draft is kept, and had kept the older one."""
    small = await house("case1")
    behind = Small(log=small.log, keys=small.keys, drafts=small.drafts, boot="behind", now_ms=small.now_ms - 3_600_000)
    await behind.catch_up()
    await ask(small, "ann", c.Draft(conversation="case1", text="Dear", at_ms=small.now_ms))
    told = await ask(behind, "ann", c.Draft(conversation="case1", text="Dear Anna", at_ms=small.now_ms + 2_000))
    assert isinstance(told, c.Done)
    kept = await small.parts.drafts.load("ann", "case1")
    assert kept is not None
    assert kept.text == "Dear Anna"
    # And a terminal whose clock is ahead shuts nobody out, at neither of them.
    for one in (small, behind):
        await ask(one, "ann", c.Draft(conversation="case1", text="ahead", at_ms=small.now_ms + 86_400_000))
        small.later(60)
        await ask(small, "ann", c.Draft(conversation="case1", text="Dear Anna", at_ms=small.now_ms))
        kept = await small.parts.drafts.load("ann", "case1")
        assert kept is not None
        assert kept.text == "Dear Anna"

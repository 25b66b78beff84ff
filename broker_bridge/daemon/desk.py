"""Answers the requests of agents: who may, what it becomes, and "accepted" only when it is on disk.

Law: who speaks is the token in the subject, which the broker enforces; the body is never asked. A request that has seen more of LOG than
this bridge waits half a second, then is refused with `behind`. Refusals and silent reads leave an audit record before the answer.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable

import msgspec

from broker_bridge.contract import codec, ids, subjects
from broker_bridge.contract import commands as c
from broker_bridge.contract import views as v
from broker_bridge.contract.ids import AgentId, ConversationId
from broker_bridge.core import joins
from broker_bridge.core import views as rules
from broker_bridge.core.actor import Actor
from broker_bridge.core.decision import Changed, Facts, refuse
from broker_bridge.core.state import Conversation
from broker_bridge.daemon import fitting
from broker_bridge.daemon.acting import Acting
from broker_bridge.daemon.attendance import Attendance
from broker_bridge.daemon.attention import Paged, Word
from broker_bridge.daemon.audit import Audit
from broker_bridge.daemon.drafts import Drafts
from broker_bridge.daemon.files import Files
from broker_bridge.daemon.follower import Follower
from broker_bridge.daemon.home import Home
from broker_bridge.daemon.logwriter import Blocked, Overloaded
from broker_bridge.daemon.reading import Reading
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.todo import Todo
from broker_bridge.daemon.wire import BusError

log = logging.getLogger(__name__)

BEHIND_WAIT_S = 0.5
FILE_PART_BYTES = 128 * 1024
TEXT_PART = 60_000
"""Characters of one page of a whole message: at most 240 kB as UTF-8."""

Answer = v.Answer
Tell = Callable[[str, bytes], Awaitable[None]]


class Desk:
    """Serves `cc.do.*.*` for one bridge."""

    def __init__(
        self,
        *,
        acting: Acting,
        attendance: Attendance,
        rulebook: Rulebook,
        follower: Follower,
        model: ReadModel,
        reading: Reading,
        staff: Staff,
        home: Home,
        drafts: Drafts,
        files: Files,
        todo: Todo,
        why: Callable[[ConversationId, Actor], Awaitable[v.WhyView]],
        audit: Audit,
        tell: Tell,
        move_home: Callable[[AgentId], Awaitable[None]],
        bridge: str,
        chat_url: str,
        new_id: Callable[[], str],
        now_ms: Callable[[], int],
    ) -> None:
        self._acting = acting
        self.attendance = attendance
        self._rulebook = rulebook
        self._follower = follower
        self._model = model
        self._reading = reading
        self._staff = staff
        self._home = home
        self._drafts = drafts
        self._files = files
        self._todo = todo
        self._why = why
        self._audit = audit
        self._tell = tell
        self._move_home = move_home
        self._bridge = bridge
        self._chat_url = chat_url
        self._new_id = new_id
        self._now_ms = now_ms
        self.is_full = False
        """LOG is nearly full: nothing new is taken."""
        self.answered = 0

    async def handle(self, subject: str, body: bytes, headers: dict[str, str]) -> bytes:
        """One request; the answer is at most 256 KiB."""
        _, _, agent, verb = (*subject.split("."), "", "", "", "")[:4]
        answer = await self._answer(agent, verb, body)
        self.answered += 1
        encoded = codec.encode(answer)
        if len(encoded) > c.MAX_ANSWER_BYTES:
            log.error("answer too large", extra={"verb": verb, "size_bytes": len(encoded)})
            return codec.encode(refuse("bad", "The answer is too large for one message. Ask for a smaller page."))
        return encoded

    async def _answer(self, agent: AgentId, verb: str, body: bytes) -> Answer:
        actor = self._staff.actor(agent)
        if actor is None:
            return refuse("denied", "You are not enrolled here. Ask your lead to let you in.")
        try:
            return await self._checked(agent, verb, body, actor)
        except Blocked:
            return refuse(
                "unavailable",
                "A newer bridge has written here. This conversation is read-only until this one is updated.",
            )
        except (Overloaded, BusError):
            return msgspec.structs.replace(
                refuse("unavailable", "The log does not answer. Your text is kept; it is tried again."),
                is_retryable=True,
            )

    async def _checked(self, agent: AgentId, verb: str, body: bytes, actor: Actor) -> Answer:
        if len(body) > c.MAX_REQUEST_BYTES:
            return refuse("bad", f"The request has {len(body):,} bytes; the limit is {c.MAX_REQUEST_BYTES:,}.")
        try:
            request = codec.request(body)
        except codec.Malformed as error:
            await self._audit.refused(agent, verb, "bad")
            return refuse("bad", f"The bridge could not read the request: {error}. Update this program.")
        if request.__struct_config__.tag != verb:
            await self._audit.refused(agent, verb, "bad")
            return refuse("bad", "The request says another verb than its subject. Update this program.")
        unfit = fitting.unfit(request)
        if unfit is not None:
            await self._audit.refused(agent, verb, unfit.code)
            return unfit
        self._home.heard(agent)
        # Whether somebody sits there has nothing to do with the log.
        may_wait = not isinstance(request, c.Alive)
        if may_wait and not await self._follower.wait_for(request.min, BEHIND_WAIT_S):
            return msgspec.structs.replace(
                refuse("behind", "This bridge is catching up. It is tried again."), is_retryable=True
            )
        return await self._do(request, actor)

    async def _do(self, request: c.AnyRequest, actor: Actor) -> Answer:
        if isinstance(request, c.Describe):
            return await self._describe(request, actor)
        if isinstance(request, c.Act):
            return await self._act(request, actor)
        answer = await _question(request, self, actor)
        return answer

    # questions

    async def hello(self, request: c.Hello, actor: Actor) -> Answer:
        if request.version != c.VERSION:
            return refuse(
                "version", f"This bridge speaks version {c.VERSION} of the contract. Update this program or the bridge."
            )
        await self.attendance.came(actor)
        await self._move_home(actor.agent)
        feed = self._home.open(actor.agent, self._new_id())
        answer = v.Welcome(
            version=c.VERSION,
            epoch=feed.epoch,
            n=feed.n,
            me=self._reading.figures.me(actor),
            upto=self._follower.position,
            bridge=self._bridge,
            dispositions=tuple(one.name for one in self._rulebook.policy.desk.dispositions),
            reasons=self._rulebook.policy.desk.reasons,
            chat_url=self._chat_url,
        )
        feed.is_counted = True
        if request.since:
            self._home.remind(feed, self._todo.reminders(actor, request.since), request.since)
        self._home.announce(feed)
        return answer

    async def thread(self, request: c.Thread, actor: Actor) -> Answer:
        state = self._reading.state(request.conversation)
        if not rules.may_read(state, actor):
            return refuse("unknown", "There is no such conversation. It may have been erased; go back to the inbox.")
        if request.silent and not actor.is_supervisor:
            await self._audit.refused(actor.agent, "thread", "denied")
            return refuse("denied", "Silent reading is for supervisors.")
        draft = await self._drafts.load(actor.agent, request.conversation) if request.before is None else None
        # The last wait before the page is made: whose case it is may have changed meanwhile.
        await self._read(self._reading.state(request.conversation), actor)
        page = self._reading.page(request.conversation, request.before, request.limit, actor)
        page = fitting.thread(msgspec.structs.replace(page, draft=draft))
        if request.watch:
            await self._signal(Word(conversation=request.conversation, who=actor.agent, what="watch"), page.upto)
            if not request.silent:
                await self._signal(Word(conversation=request.conversation, who=actor.agent, what="viewing"))
        return page

    async def _read(self, state: Conversation, actor: Actor) -> None:
        """A supervisor's look at a case that is not theirs leaves a record first, silent or not. Raises BusError."""
        if actor.is_supervisor and state.owner != actor.agent:
            await self._audit.read(actor.agent, state.id)

    async def unwatch(self, request: c.Unwatch, actor: Actor) -> Answer:
        await self._signal(Word(conversation=request.conversation, who=actor.agent, what="watch", on=False))
        await self._signal(Word(conversation=request.conversation, who=actor.agent, what="viewing", on=False))
        return c.Done(upto=self._follower.position)

    async def typing(self, request: c.Typing, actor: Actor) -> Answer:
        await self._signal(Word(conversation=request.conversation, who=actor.agent, what="typing", on=request.on))
        return c.Done(upto=self._follower.position)

    async def _signal(self, word: Word, since: int = 0) -> None:
        await self._tell(subjects.signal(word.what, str(since)), codec.encode(word))

    async def draft(self, request: c.Draft, actor: Actor) -> Answer:
        if not rules.may_read(self._reading.state(request.conversation), actor):
            return refuse("unknown", "There is no such conversation. It may have been erased; go back to the inbox.")
        text, now_ms = request.text[: c.MAX_TEXT], self._now_ms()
        await self._drafts.keep(actor.agent, request.conversation, text, request.mode, request.at_ms, now_ms)
        return c.Done(upto=self._follower.position)

    async def rows(self, request: c.Rows, actor: Actor) -> Answer:
        page = fitting.rows(self._reading.rows(request.view, request.start, request.limit, actor))
        await self._paged(page, actor)
        return page

    async def search(self, request: c.Search, actor: Actor) -> Answer:
        page = fitting.rows(await self._reading.search(request.text[:400], request.limit, actor))
        await self._paged(page, actor)
        return page

    async def _paged(self, page: v.RowPage, actor: Actor) -> None:
        """Whichever bridge is the agent's home keeps these rows up to date from here on."""
        given = Paged(who=actor.agent, conversations=tuple(row.conv for row in page.rows))
        if given.conversations and not self._home.paged(given.who, given.conversations, page.upto):
            await self._tell(subjects.signal("page", str(page.upto)), codec.encode(given))

    async def profile(self, request: c.ProfileOf, actor: Actor) -> Answer:
        state = self._reading.state(request.conversation)
        if not rules.may_read(state, actor) or not state.customer:
            return refuse("unknown", "There is no such conversation. It may have been erased; go back to the inbox.")
        profile = self._reading.histories.profile(request.conversation, max(1, min(request.limit, 500)), actor)
        while profile.moments and len(codec.encode(profile)) > c.MAX_ANSWER_BYTES - 4096:
            profile = msgspec.structs.replace(profile, moments=profile.moments[: len(profile.moments) // 2])
        return profile

    async def directory(self, request: c.Directory, actor: Actor) -> Answer:
        return self._reading.figures.directory(actor)

    async def why(self, request: c.WhyOf, actor: Actor) -> Answer:
        state = self._reading.state(request.conversation)
        if not rules.may_read(state, actor):
            return refuse("unknown", "There is no such conversation. It may have been erased; go back to the inbox.")
        await self._read(state, actor)
        return await self._why(request.conversation, actor)

    async def handover(self, request: c.Handover, actor: Actor) -> Answer:
        state = self._reading.state(request.conversation)
        if not rules.may_read(state, actor):
            return refuse("unknown", "There is no such conversation. It may have been erased; go back to the inbox.")
        await self._read(state, actor)
        return await self._todo.handover(request.conversation, actor)

    async def tasks(self, request: c.Tasks, actor: Actor) -> Answer:
        return self._todo.tasks(request, actor)

    async def message(self, request: c.Message, actor: Actor) -> Answer:
        """A page of the whole text, or of the raw source (bytes that are no UTF-8 shown as �)."""
        state = self._reading.state(request.conversation)
        found = self._model.whole(request.conversation, request.message)
        if found is None or not rules.may_read(state, actor):
            return refuse("unknown", "There is no such message in this conversation.")
        await self._read(state, actor)
        text, raw = found
        if request.raw:
            if not raw:
                return refuse("unknown", "The source of this message was not kept: its channel has none.")
            if not rules.sees_addresses(state, actor):
                await self._audit.refused(actor.agent, "message", "denied")
                return refuse("denied", "The source shows addresses: it is for whoever answers this conversation.")
            data = await self._files.get(raw)
            if data is None:
                return refuse("unknown", "The source is no longer kept.")
            text = data.decode("utf-8", "replace")
        parts = max(1, -(-len(text) // TEXT_PART))
        start = max(0, request.part) * TEXT_PART
        return v.Text(text=text[start : start + TEXT_PART], parts=parts, upto=self._follower.position)

    async def file(self, request: c.FilePart, actor: Actor) -> Answer:
        """A part of a file that stands in this conversation; no digest from elsewhere is answered."""
        state = self._reading.state(request.conversation)
        line = self._reading.histories.file_of(request.conversation, request.digest)
        if line is None or not rules.may_read(state, actor):
            return refuse("unknown", "There is no such file in this conversation.")
        if request.part <= 0:
            await self._read(state, actor)
        data = await self._files.get(request.digest)
        if data is None:
            return refuse("unknown", "This file is no longer kept.")
        parts = max(1, -(-len(data) // FILE_PART_BYTES))
        start = max(0, request.part) * FILE_PART_BYTES
        return v.Bytes(
            data=data[start : start + FILE_PART_BYTES],
            parts=parts,
            name=line.name,
            media_type=line.media_type,
            upto=self._follower.position,
        )

    # commands

    async def _act(self, wish: c.Act, actor: Actor) -> Answer:
        if self.is_full and wish.id not in self._reading.state(wish.conversation).commands:
            return _full()
        seq, found = await self._acting.act(wish, actor)
        # It may have been decided on what the follower has not come to: a winner's fact, or the command's own of before.
        upto = max(seq, self._acting.state(wish.conversation).seq, self._follower.position)
        if isinstance(found, Facts):
            if isinstance(wish, (c.Reply, c.Note)):
                await self._drafts.said(actor.agent, wish.conversation, wish.text)
            return c.Done(upto=upto, message=found.message, conversation=self._next(wish, actor))
        if isinstance(found, Changed):
            return self._stopped(wish, found, actor)
        await self._audit.refused(actor.agent, str(wish.__struct_config__.tag), found.code)
        return msgspec.structs.replace(found, upto=upto)

    def _next(self, wish: c.Act, actor: Actor) -> str | None:
        """The case to be opened next, where that was asked for: a merge or split leads somewhere, and `next` to who waits longest."""
        if isinstance(wish, c.Merge):
            return joins.leads_to(self._reading.state(wish.conversation))
        if isinstance(wish, c.Unmerge):
            return wish.conversation
        if isinstance(wish, c.Split):
            return ids.derived("split", actor.agent, wish.id)
        if isinstance(wish, (c.Close, c.WrapUp, c.Reply)) and wish.next:
            return self._reading.first_waiting(actor, wish.conversation)
        return None

    def _stopped(self, wish: c.Act, found: Changed, actor: Actor) -> Answer:
        items = self._reading.changed_items(wish.conversation, found.since, actor)
        new = tuple(item for item in items if item.seq > found.since and item.kind != "event")[:20]
        stopped = v.Refused(code="changed", sentence=found.sentence, items=new, upto=self._follower.position)
        while len(codec.encode(stopped)) > c.MAX_ANSWER_BYTES - 4096:
            stopped = msgspec.structs.replace(stopped, items=stopped.items[(len(stopped.items) + 1) // 2 :])
        return stopped

    async def _describe(self, wish: c.Describe, actor: Actor) -> Answer:
        if self.is_full and not self._acting.is_described(wish):
            return _full()
        seq, refusal = await self._acting.describe(wish, actor)
        if refusal is not None:
            await self._audit.refused(actor.agent, "describe", refusal.code)
            return refusal
        self._home.touch(wish.conversation)
        return c.Done(upto=max(seq, self._follower.position))


def _full() -> c.Refusal:
    return refuse(
        "full", "The log is nearly full. Nothing new is taken until the operator makes room; your text is kept."
    )


@functools.singledispatch
async def _question(request: c.Request, desk: Desk, actor: Actor) -> Answer:
    return refuse("bad", "This bridge does not know that question. Ask the operator to update the bridge.")


_question.register(c.Hello)(lambda request, desk, actor: desk.hello(request, actor))
_question.register(c.Force)(lambda request, desk, actor: desk.attendance.force(request, actor))
_question.register(c.Alive)(lambda request, desk, actor: desk.attendance.alive(request, actor))
_question.register(c.Presence)(lambda request, desk, actor: desk.attendance.presence(request, actor))
_question.register(c.Thread)(lambda request, desk, actor: desk.thread(request, actor))
_question.register(c.Unwatch)(lambda request, desk, actor: desk.unwatch(request, actor))
_question.register(c.Typing)(lambda request, desk, actor: desk.typing(request, actor))
_question.register(c.Draft)(lambda request, desk, actor: desk.draft(request, actor))
_question.register(c.Rows)(lambda request, desk, actor: desk.rows(request, actor))
_question.register(c.Search)(lambda request, desk, actor: desk.search(request, actor))
_question.register(c.ProfileOf)(lambda request, desk, actor: desk.profile(request, actor))
_question.register(c.Directory)(lambda request, desk, actor: desk.directory(request, actor))
_question.register(c.WhyOf)(lambda request, desk, actor: desk.why(request, actor))
_question.register(c.Handover)(lambda request, desk, actor: desk.handover(request, actor))
_question.register(c.Tasks)(lambda request, desk, actor: desk.tasks(request, actor))
_question.register(c.Message)(lambda request, desk, actor: desk.message(request, actor))
_question.register(c.FilePart)(lambda request, desk, actor: desk.file(request, actor))

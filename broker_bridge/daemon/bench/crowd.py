"""Row 4's whole bridge: everybody enrolled and everything that waits, loaded by the real floor from a read model, and routed.

Law: the floor, the rulebook, the staff and the offers are the bridge's own; only the pen is not, for row 3 measures the write to disk.
The bridge is a process of its own, so that its memory is that of nothing else. Times of decisions are the thread's own.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from broker_bridge.contract.ids import ConversationId
from broker_bridge.contract.policy import DeskRules, QueueRules, Skill
from broker_bridge.core import conversation
from broker_bridge.core.colleague import Enrollment
from broker_bridge.core.presence import Presence
from broker_bridge.core.routing.evenly import choose
from broker_bridge.core.state import QUEUED, Conversation
from broker_bridge.daemon.bench.figures import percentile, resident_bytes, rounded
from broker_bridge.daemon.bench.large import Unused
from broker_bridge.daemon.choice import Chooser
from broker_bridge.daemon.floor import Floor
from broker_bridge.daemon.offers import Offers
from broker_bridge.daemon.pen import Make, Pen, Places
from broker_bridge.daemon.presence import Presences
from broker_bridge.daemon.readmodel import ReadModel
from broker_bridge.daemon.rulebook import Rulebook
from broker_bridge.daemon.seal import Sealer
from broker_bridge.daemon.staff import Staff
from broker_bridge.daemon.states import AGENT, CONV, Log, States, encode_state

T = TypeVar("T")
NOW_MS = 1_795_000_000_000
SKILLS = [f"skill{number}" for number in range(64)]
SKILLS_EACH = 12
QUEUES = [f"queue{number}" for number in range(20)]
ROUNDS = 10
SINGLES = 1_000
GROUP = 2_000

Figures = dict[str, float | int | str]


async def measured(folder: Path, agents: int, waiting: int) -> Figures:
    """Fill a read model, and let another process be the bridge that starts from it."""
    path = folder / "crowd.sqlite"
    _fill(path, agents, waiting)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "broker_bridge.daemon.bench.crowd", str(path), stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(300):
            told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    figures: Figures = json.loads(told)
    return {"floor_read_model_mb": rounded(path.stat().st_size / 1e6), **figures}


def _fill(path: Path, agents: int, waiting: int) -> None:
    """What the follower would have written."""
    chance = random.Random(4)
    model = ReadModel(path)
    for number in range(agents):
        one = Enrollment(
            id=f"agent{number:05}",
            name=f"Agent {number}",
            public_key="U",
            queues=() if chance.random() < 0.3 else tuple(chance.sample(QUEUES, 4)),
            units=100,
            skills=_skills(chance, SKILLS_EACH, 5),
            is_active=True,
            seq=number + 1,
        )
        model.keep(AGENT, one.id, one.seq, encode_state(one))
    for number, state in enumerate(_cases(chance, agents, waiting)):
        model.keep(CONV, state.id, state.seq, encode_state(state))
        model.keep_conversation(state)
        if number % GROUP == 0:
            model.commit(state.seq)
    model.commit(agents + waiting)
    model.close()


def _cases(chance: random.Random, agents: int, waiting: int) -> Iterator[Conversation]:
    for number in range(waiting):
        state = conversation.begin(f"{number:026}")
        state.status, state.queue = QUEUED, chance.choice(QUEUES)
        state.customer = f"{number * 7919 % max(1, waiting * 9 // 10):026}"
        state.channel_kind = chance.choice(["webchat", "email"])
        state.skills = _skills(chance, 1, 2) if chance.random() < 0.05 else ()
        state.waiting_since_ms = state.queued_ms = state.opened_ms = NOW_MS - number * 13 - 60_000
        state.reply_within_s = 3_600
        state.seq = agents + number + 1
        yield state


def _skills(chance: random.Random, count: int, most: int) -> tuple[Skill, ...]:
    return tuple(Skill(name=skill, level=chance.randint(1, most)) for skill in chance.sample(SKILLS, count))


class Paper:
    """Takes every offer at once: what is measured is the decision, with the fact that it becomes."""

    def __init__(self, states: States) -> None:
        self._states = states
        self.written_bytes = 0

    def attempt(self, conversation: ConversationId, decide: Callable[[], T]) -> T:
        return decide()

    async def write(self, conversation: ConversationId, by: str, make: Make, gives: Places = ()) -> bool:
        facts, _ = make(self._states.cell(CONV, conversation).state)
        self.written_bytes += len(msgspec.json.encode(facts))
        return bool(facts)


async def _bridge(path: Path) -> Figures:
    """A bridge that starts, and leads."""
    before = resident_bytes()
    began = time.perf_counter()
    model = ReadModel(path)
    states = States(model, cast(Sealer, None), cast(Log, None))
    rulebook = Rulebook(states, model, _rules(), DeskRules())
    staff = Staff(states, model, Presences(Unused(), lambda: NOW_MS, asyncio.sleep), lambda: NOW_MS)
    staff.load()
    rulebook.load()
    known_s = time.perf_counter() - began
    floor = Floor(rulebook, staff)
    began, worked = time.perf_counter(), time.thread_time()
    floor.load_all(model, states)
    load_s, load_cpu_s = time.perf_counter() - began, time.thread_time() - worked
    loaded = resident_bytes()
    here = msgspec.json.encode(Presence(state="ready", since_ms=NOW_MS, heard_ms=NOW_MS))
    for number, agent in enumerate(staff.active):
        if number % 10 < 7:
            staff.presences.told(agent, here)
    paper = Paper(states)
    chooser = Chooser(states=states, model=model, floor=floor, rulebook=rulebook)
    offers = Offers(
        pen=cast(Pen, paper), states=states, chooser=chooser, floor=floor, rulebook=rulebook,
        is_leader=lambda: True, offers_at_all=True, now_ms=lambda: NOW_MS,
    )  # fmt: skip
    figures: Figures = {
        "floor_agents": len(staff.active),
        "floor_waiting": len(floor.line),
        "floor_staff_loaded_s": rounded(known_s),
        "floor_load_all_s": rounded(load_s),
        "floor_load_all_cpu_s": rounded(load_cpu_s),
        "floor_resident_mb_before": rounded(before / 1e6),
        "floor_resident_mb": rounded(loaded / 1e6),
    }
    figures |= _decided(chooser, floor, states, rulebook)
    figures |= await _rounds(offers, paper)
    figures["floor_resident_mb_routed"] = rounded(resident_bytes() / 1e6)
    model.close()
    return figures


def _rules() -> dict[str, QueueRules]:
    chance = random.Random(5)
    return {name: QueueRules(needs=_skills(chance, chance.choice([0, 1, 1, 2]), 3)) for name in QUEUES}


def _decided(chooser: Chooser, floor: Floor, states: States, rulebook: Rulebook) -> Figures:
    """One decision: what is asked, the choice, and its explanation, each case read from the read model for the first time."""
    chance = random.Random(6)
    whole, alone = [], []
    for name in (f"{chance.randrange(len(floor.line)):026}" for _ in range(SINGLES)):
        began = time.thread_time_ns()
        state: Conversation = states.cell(CONV, name).state
        waiting = floor.waiting(state)
        rules = rulebook.policy.rules(waiting.queue)
        question = chooser.question(state, waiting, rules, NOW_MS)
        chose = time.thread_time_ns()
        agents = choose(floor.index, question.request)
        alone.append(time.thread_time_ns() - chose)
        chooser.why(question, agents[0] if agents else None)
        whole.append(time.thread_time_ns() - began)
    return {
        "floor_choice_p50_us": rounded(percentile(alone, 0.5) / 1000),
        "floor_choice_p99_us": rounded(percentile(alone, 0.99) / 1000),
        "floor_decision_with_why_p50_us": rounded(percentile(whole, 0.5) / 1000),
        "floor_decision_with_why_p99_us": rounded(percentile(whole, 0.99) / 1000),
    }


async def _rounds(offers: Offers, paper: Paper) -> Figures:
    """Rounds of the router, as many offers as it makes at once."""
    took_ms, made = [], 0
    for _ in range(ROUNDS):
        before = offers.made
        began = time.thread_time_ns()
        await offers.round()
        if offers.made == before:
            break
        took_ms.append((time.thread_time_ns() - began) / 1e6)
        made = offers.made
    return {
        "floor_offers": made,
        "floor_round_p50_ms": rounded(percentile(took_ms, 0.5)),
        "floor_us_an_offer": rounded(sum(took_ms) * 1000 / made if made else 0.0),
        "floor_bytes_an_offer": rounded(paper.written_bytes / made if made else 0.0),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_bridge(Path(sys.argv[1])))) + "\n")

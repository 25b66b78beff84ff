"""What is asked of the floor about one waiting conversation: whom not to ask, whom first, and how long they are waited for.

Law: the router and what-if (core.replay_picture) ask by this file and no other, so that a day that is routed again is routed by the rules
that routed it.
"""

from __future__ import annotations

from collections.abc import Mapping

from broker_bridge.contract.ids import AgentId
from broker_bridge.contract.policy import QueueRules
from broker_bridge.core.routing.index import Index, Request
from broker_bridge.core.waiting import Waiting

ASK_AGAIN_MS = 60_000
"""Who let an offer pass is not asked about the same conversation for a minute."""
PASSER_AGAIN_MS = 300_000
"""Who passed it on to its queue is asked after all, if nobody else took it for so long."""
HERE = ("ready", "busy", "wrap_up")
"""Presence of somebody who will have time soon."""


def whom_not_to_ask(
    declined: Mapping[AgentId, int], passed_by: AgentId, queued_ms: int, now_ms: int
) -> dict[AgentId, int]:
    """Who is not asked about it now, and from when (ms) each of them is again.

    Args:
        declined: who let it pass since it came into its queue, and when (ms).
        passed_by: who passed it on to that queue; empty: nobody.
        queued_ms: since when it waits there.
        now_ms: the moment of the question.
    """
    found = {agent: at_ms + ASK_AGAIN_MS for agent, at_ms in declined.items() if now_ms - at_ms < ASK_AGAIN_MS}
    if passed_by and now_ms - queued_ms < PASSER_AGAIN_MS:
        found[passed_by] = max(found.get(passed_by, 0), queued_ms + PASSER_AGAIN_MS)
    return found


def anybody(waiting: Waiting, rules: QueueRules) -> Request:
    """What is asked of anybody for all of its group."""
    return Request(queue=waiting.queue, needs=waiting.needs, units=waiting.units, mode=waiting.mode, order=rules.order)


def asking(
    index: Index,
    waiting: Waiting,
    rules: QueueRules,
    without: Mapping[AgentId, int],
    knowing: tuple[AgentId, AgentId],
    queued_ms: int,
    now_ms: int,
) -> tuple[Request, int]:
    """What is asked of the index, and until when (ms) it is waited for whoever knows the customer (0: not at all).

    Args:
        index: who is here, with what to do.
        waiting: what it asks for.
        rules: of its queue.
        without: as from `whom_not_to_ask`.
        knowing: (responsible for the customer, who served them last); empty where nobody is known.
        queued_ms: since when it waits in its queue.
        now_ms: the moment of the question.
    """
    responsible, last = knowing
    first = (responsible, last) if rules.responsible_first else (last, responsible)
    request = Request(
        queue=waiting.queue,
        needs=waiting.needs,
        units=waiting.units,
        mode=waiting.mode,
        order=rules.order,
        prefer=tuple(one for one in first if one and one not in without),
        without=frozenset(without),
    )
    until_ms = queued_ms + rules.affinity_s * 1000
    is_early = now_ms < until_ms and not any(index.is_fit(one, request) for one in request.prefer)
    # Only somebody who will have time soon is worth the wait.
    is_worth_it = is_early and any(_is_coming(index, one, waiting) for one in request.prefer)
    return request, until_ms if is_worth_it else 0


def _is_coming(index: Index, agent: AgentId, waiting: Waiting) -> bool:
    sitting = index.sitting(agent)
    return (
        sitting is not None
        and sitting.state in HERE
        and sitting.works_in(waiting.queue)
        and all(sitting.has(need) for need in waiting.needs)
    )

"""Why one agent was or was not given a conversation, in plain words.

Law: one cause each, the one that stands most in the way: not of this queue, off, lacks a skill, not ready, let it pass, full.
"""

from __future__ import annotations

from broker_bridge.contract.policy import Skill
from broker_bridge.core.seating import OFF, READY, Request, Sitting

NOT_HERE = "does not work in this queue"
PASSED = "let it pass a minute ago"
FULL = "full"


def lacks(need: Skill) -> str:
    return f"lacks {need.name} {need.level}"


def hindrance(one: Sitting, request: Request) -> str:
    """What keeps this agent from it; empty: nothing, they are fit."""
    if not one.works_in(request.queue):
        return NOT_HERE
    if one.state == OFF:
        return OFF
    for need in request.needs:
        if not one.has(need):
            return lacks(need)
    if one.state != READY:
        return one.label
    if one.name in request.without:
        return PASSED
    if one.free < request.units:
        return f"{FULL}: {one.load} of {one.units}"
    return ""


def merit(one: Sitting, request: Request, responsible: str, last_agent: str) -> str:
    """Why the chosen one was chosen."""
    if one.name == responsible:
        return "responsible for the customer"
    if one.name == last_agent or one.name in request.prefer:
        return "knows the customer"
    if request.mode == "in_order" and one.name in request.order:
        return f"number {request.order.index(one.name) + 1} in the order"
    if request.mode == "everybody":
        return "everybody is asked"
    return f"least to do: {one.load} of {one.units}"


def demerit(one: Sitting, best: Sitting | None, request: Request) -> str:
    """Why another fit one was preferred to this one."""
    if best is None:
        return "fit"
    if best.name in request.prefer:
        return "another one knows the customer"
    if request.mode == "everybody":
        return "everybody is asked"
    if request.mode == "in_order" and best.name in request.order:
        return "later in the order"
    if one.level > best.level:
        return f"more to do: {one.load} of {one.units}"
    return "their turn comes later"

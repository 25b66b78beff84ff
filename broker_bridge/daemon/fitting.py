"""What fits a request and an answer: names and numbers that can become facts, and pages of a size that the broker carries.

Law: pure. What no state can hold must never become a fact, because every bridge would stop at it; an answer is at most 256 KiB.
"""

from __future__ import annotations

import msgspec

from broker_bridge.contract import codec, subjects
from broker_bridge.contract import commands as c
from broker_bridge.contract import views as v

MAX_ID = 64
"""Characters of a command's id; the fold keeps it for a week."""
TIMER = "timer:"
"""How the machine's own commands begin: they happen once by their id, so nobody else may use one."""
MOST_NUMBER = 2**53
"""No time and no count is beyond it; what no state can hold must never become a fact, every bridge would stop at it."""


def unfit(request: c.AnyRequest) -> c.Refusal | None:
    """A refusal of names that no case and no command can have: they would become parts of subjects and of the log."""
    for name in ("conversation", "into"):
        conversation = getattr(request, name, None)
        if conversation is None:
            continue
        try:
            subjects.token(conversation)
        except ValueError:
            return c.Refusal(code="unknown", sentence="There is no such conversation. Go back to the inbox.")
    if isinstance(request, c.Transfer) and request.to_agent is not None and not subjects.is_token(request.to_agent):
        return c.Refusal(code="bad", sentence="There is no such colleague. Pick one from the list.")
    if isinstance(request, c.Act) and (not 1 <= len(request.id) <= MAX_ID or request.id.startswith(TIMER)):
        # Without an id of its own the second of two replies would take the place of the first.
        return c.Refusal(code="bad", sentence="The command has no usable id. Update this program.")
    if _is_beyond(request):
        return c.Refusal(code="bad", sentence="The request holds a number that is none. Update this program.")
    return None


def _is_beyond(value: object) -> bool:
    """Whether some number in it is too large for a state, a database or a calendar."""
    if isinstance(value, int):
        return not -MOST_NUMBER < value < MOST_NUMBER
    if isinstance(value, tuple):
        return any(map(_is_beyond, value))
    if isinstance(value, msgspec.Struct):
        return any(_is_beyond(getattr(value, name)) for name in value.__struct_fields__)
    return False


def thread(page: v.ThreadPage) -> v.ThreadPage:
    """The page without its oldest items, until it fits one answer. Siblings of one sequence stay together."""
    while _is_too_large(page) and page.items and page.items[0].seq != page.items[-1].seq:
        cut = page.items[(len(page.items) + 1) // 2 - 1].seq
        kept = tuple(item for item in page.items if item.seq > cut)
        if not kept:
            kept = tuple(item for item in page.items if item.seq == page.items[-1].seq)
        page = msgspec.structs.replace(page, items=kept, has_more=True)
    for most in (4_000, 500):
        if _is_too_large(page):
            page = msgspec.structs.replace(
                page,
                items=tuple(_cut(item, most) for item in page.items),
                reach=tuple(msgspec.structs.replace(one, cc=one.cc[: most // 50]) for one in page.reach),
            )
    return page


def _is_too_large(page: v.ThreadPage) -> bool:
    return len(codec.encode(page)) > c.MAX_ANSWER_BYTES - 4096


def _cut(item: v.Item, most: int) -> v.Item:
    """An item whose words alone are too many for an answer; the pager shows it whole."""
    people = most // 50
    return msgspec.structs.replace(
        item,
        text=item.text[:most],
        quote=item.quote[:most],
        subject=item.subject[:most],
        to=item.to[:people],
        cc=item.cc[:people],
        files=item.files[:people],
        is_cut=item.is_cut or len(item.text) > most or len(item.quote) > most,
    )


def rows(page: v.RowPage) -> v.RowPage:
    """The page without its last rows, until it fits one answer: whoever wants more asks on behind them."""
    while len(page.rows) > 1 and len(codec.encode(page)) > c.MAX_ANSWER_BYTES - 4096:
        page = msgspec.structs.replace(page, rows=page.rows[: len(page.rows) // 2])
    return page

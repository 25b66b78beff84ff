"""The floor of the pictures: who works, what waits, what is read silently."""

from __future__ import annotations

from broker_bridge.contract.views import Colleague, DirectoryView, Item, Moment, QueueView, ThreadPage
from tests.tui.scenes import COLLEAGUES_OWN, HOUR, NOW_MS, SECOND, at


def _who(
    agent: str, name: str, state: str, since_s: int, load: int, works: str = "", word: str = "", **more: object
) -> Colleague:
    return Colleague(
        agent=agent,
        name=name,
        state=state,
        since_ms=NOW_MS - since_s * SECOND,
        load=load,
        capacity=4,
        works_on=works,
        works_on_word=word,
        **more,  # type: ignore[arg-type]
    )


AGENTS = (
    _who("maya", "Maya Lindqvist", "ready", 4360, 2, "Anna Berg", "wa", works_on_conv="c-anna", due_ms=NOW_MS - 42 * SECOND,
         queues=("fees",)),
    _who("ole", "Ole Nilsen", "ready", 811, 1, "Pauline Roux", "chat", works_on_conv="c-pauline", queues=("complaints",)),
    _who("bo", "Bo Lind", "silent", 48, 2, "2 chats"),
    _who("jonas", "Jonas Feeney", "ready", 520, 3, "Kim Larsson", "chat", works_on_conv="c-queue-0", due_ms=NOW_MS + 31 * SECOND,
         queues=("fees",)),
    _who("chen", "Chen Wei 陈伟", "ready", 1325, 4, "full: 4 chats"),
    _who("priya", "Priya Rao", "ready", 12, 1, "Anna Berg", "wa", queues=("fees",)),
    _who("ida", "Ida Strand", "ready", 300, 2, "Emil Dahl", "mail"),
    _who("fee", "Fee Hansson", "away", 1450, 0, reason="lunch", queues=("fees",)),
    _who("nadia", "Nadia Karim", "away", 1233, 0, reason="training"),
    _who("viktor", "Viktor Olsson", "off", 0, 0),
)  # fmt: skip
QUEUES = (
    QueueView(queue="fees", name="cards › fees", waiting=3, oldest_ms=NOW_MS - 134 * SECOND, ready=4, service_level=0.91,
              arrivals=(1, 1, 2, 3, 3, 5, 5, 4, 3, 2, 2, 3)),
    QueueView(queue="lost", name="cards › lost", waiting=1, oldest_ms=NOW_MS - 14 * SECOND, ready=3, service_level=0.97,
              arrivals=(1, 0, 1, 0, 0, 2, 1, 0, 1, 0, 0, 0)),
    QueueView(queue="complaints", name="complaints", waiting=5, oldest_ms=NOW_MS - 400 * SECOND, ready=1, service_level=0.68,
              arrivals=(0, 1, 1, 2, 2, 3, 4, 4, 5, 6, 6, 6)),
    QueueView(queue="loans", name="loans", ready=2, service_level=0.99, arrivals=(1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)),
    QueueView(queue="mail", name="mail › all", waiting=24, oldest_ms=NOW_MS - 3 * HOUR, ready=5, service_level=0.94,
              arrivals=(4, 4, 6, 6, 4, 3, 3, 2, 2, 2, 1, 1)),
)  # fmt: skip
DIRECTORY = DirectoryView(
    agents=AGENTS,
    queues=QUEUES,
    handled=312,
    handle_time_s=340,
    alerts=(Moment(at_ms=at("13:52"), word="mail", text="support-mail: 1 mail could not be read, kept", node="event"),),
)


def _said(seq: int, kind: str, clock: str, text: str, name: str = "") -> Item:
    return Item(id=f"p-{seq}", seq=seq, rev=seq, kind=kind, at_ms=at(clock), text=text, name=name, channel="chat")


PAULINE_PAGE = ThreadPage(
    row=COLLEAGUES_OWN[0],
    upto=100,
    seen=99,
    items=(
        _said(30, "them", "08:20", "wait, I look at home first", "Pauline Roux"),
        _said(31, "event", "13:48", "answered by Ole"),
        _said(32, "them", "13:49", "I lost my card in the train and the app says it is still open.", "Pauline Roux"),
        _said(
            33,
            "colleague",
            "13:50",
            "I see the chat of 08:14 here, you do not have to tell it again. I block the card now.",
            "Ole Nilsen",
        ),
        _said(34, "them", "13:58", "Three payments this morning are not mine. I want them back today.", "Pauline Roux"),
    ),
)

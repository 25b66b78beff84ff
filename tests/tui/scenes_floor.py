"""The floor of the pictures: who works, what waits, what is read silently."""

from __future__ import annotations

from broker_bridge.contract.policy import Skill
from broker_bridge.contract.views import Alert, Colleague, DirectoryView, Item, QueueView, ThreadPage
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


def _loads(chat: int, mail: int, call: int = 0) -> tuple[tuple[str, int, int], ...]:
    return (("chat", chat, 4), ("mail", mail, 6), ("call", call, 1))


AGENTS = (
    _who("maya", "Maya Lindqvist", "ready", 4360, 2, "Anna Berg", "wa", works_on_conv="c-anna", due_ms=NOW_MS - 42 * SECOND,
         queues=("fees",), loads=_loads(2, 3)),
    _who("ole", "Ole Nilsen", "ready", 811, 1, "Pauline Roux", "chat", works_on_conv="c-pauline", queues=("complaints",),
         loads=_loads(0, 1, 1)),
    _who("bo", "Bo Lind", "silent", 48, 2, "2 chats", loads=_loads(2, 0)),
    _who("jonas", "Jonas Feeney", "ready", 520, 3, "Kim Larsson", "chat", works_on_conv="c-queue-0", due_ms=NOW_MS + 31 * SECOND,
         queues=("fees",), loads=_loads(3, 2)),
    _who("tuula", "Tuula Aalto", "wrap_up", 171, 1, "closed Hanna Virtanen", loads=_loads(1, 2)),
    _who("chen", "Chen Wei 陈伟", "ready", 1325, 4, "full: 4 chats", loads=_loads(4, 4)),
    _who("priya", "Priya Rao", "ready", 12, 1, "Anna Berg", "wa", queues=("fees",), loads=_loads(1, 0), next_state="away"),
    _who("ida", "Ida Strand", "ready", 300, 2, "Emil Dahl", "mail", loads=_loads(2, 1)),
    _who("sven", "Sven Ek", "transfer_only", 95, 0, loads=_loads(0, 0)),
    _who("fee", "Fee Hansson", "away", 1450, 0, reason="lunch", queues=("fees",), until_ms=at("14:30"), loads=_loads(0, 0)),
    _who("nadia", "Nadia Karim", "away", 1233, 0, reason="training", until_ms=at("15:00"), loads=_loads(0, 0)),
    _who("viktor", "Viktor Olsson", "off", 0, 0, until_ms=at("16:00")),
)  # fmt: skip
QUEUES = (
    QueueView(queue="fees", name="cards › fees", waiting=3, oldest_ms=NOW_MS - 134 * SECOND, ready=4, service_level=0.91,
              arrivals=(1, 1, 2, 3, 3, 5, 5, 4, 3, 2, 2, 3)),
    QueueView(queue="lost", name="cards › lost", waiting=1, oldest_ms=NOW_MS - 14 * SECOND, ready=3, service_level=0.97,
              arrivals=(1, 0, 1, 0, 0, 2, 1, 0, 1, 0, 0, 0)),
    QueueView(queue="complaints", name="complaints", waiting=5, oldest_ms=NOW_MS - 400 * SECOND, ready=1, service_level=0.68,
              arrivals=(0, 1, 1, 2, 2, 3, 4, 4, 5, 6, 6, 6)),
    QueueView(queue="loans", name="loans", waiting=2, oldest_ms=NOW_MS - 9 * HOUR, service_level=0.99, is_open=False,
              hours="opens Mon 08:00", needs=(Skill(name="loans", level=3),)),
    QueueView(queue="japanese", name="japanese", waiting=1, oldest_ms=NOW_MS - 52 * SECOND, ready=1, service_level=0.88,
              arrivals=(0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 2), hours="open until 18:00", needs=(Skill(name="japanese", level=4),)),
    QueueView(queue="mail", name="mail › all", waiting=24, oldest_ms=NOW_MS - 3 * HOUR, ready=5, service_level=0.94,
              arrivals=(4, 4, 6, 6, 4, 3, 3, 2, 2, 2, 1, 1)),
)  # fmt: skip
DIRECTORY = DirectoryView(
    agents=AGENTS,
    queues=QUEUES,
    handled=312,
    handle_time_s=340,
    notices=(
        Alert(id="a3", at_ms=at("14:01"), text="complaints: 68 %, under 80 % for 12 m", severity="late"),
        Alert(
            id="a2", at_ms=at("14:01"), text="Bo Lind silent 0:48, 2 chats go back in 0:12", severity="near", agent="bo"
        ),
        Alert(id="a1", at_ms=at("13:52"), text="support-mail: 1 mail could not be read, kept"),
    ),
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

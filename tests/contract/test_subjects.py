"""No foreign text becomes part of a subject."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_bridge.contract import subjects

BAD = [
    "",
    " ",
    ".",
    "a.b",
    "*",
    ">",
    "a*",
    "a b",
    "a\n",
    "\n",
    "a\x00",
    "ä",
    "a" * 65,
    "a/b",
    "$JS",
    "a\r\nPUB x 1",
    "\u0660",
]

BUILDERS: dict[str, Callable[[str], str]] = {
    "log": lambda word: subjects.log("conv", word),
    "inbound kind": lambda word: subjects.inbound(word, "support", 0),
    "inbound channel": lambda word: subjects.inbound("email", word, 0),
    "dead": subjects.dead,
    "audit": subjects.audit,
    "do agent": lambda word: subjects.do(word, "reply"),
    "do verb": lambda word: subjects.do("maya", word),
    "view agent": lambda word: subjects.view(word, "desk"),
    "view thread": lambda word: subjects.view("maya", "thread", word),
    "inbox": subjects.inbox,
    "signal": lambda word: subjects.signal("typing", word),
}


@pytest.mark.parametrize("word", BAD, ids=repr)
@pytest.mark.parametrize("name", BUILDERS)
def test_a_bad_token_is_refused_everywhere(name: str, word: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        BUILDERS[name](word)


@given(st.text(max_size=70))
def test_what_passes_is_one_token(word: str) -> None:
    try:
        passed = subjects.token(word)
    except ValueError:
        return
    assert passed == word
    assert len(subjects.log("conv", word).split(".")) == 4
    assert word.isascii() and not set(word) & set(" .*>$\r\n\t")


def test_the_subjects_of_the_house() -> None:
    assert subjects.log("conv", "01ab") == "cc.log.conv.01ab"
    assert subjects.inbound("email", "support", 7) == "cc.in.email.support.7"
    assert subjects.inbound_filter(7) == "cc.in.*.*.7"
    assert subjects.dead("clerk") == "cc.dead.clerk"
    assert subjects.audit("b1") == "cc.audit.b1"
    assert subjects.do("maya", "reply") == "cc.do.maya.reply"
    assert subjects.view("maya", "thread", "01ab") == "cc.view.maya.thread.01ab"
    assert subjects.view("maya", "beat") == "cc.view.maya.beat"
    assert subjects.inbox("maya") == "_INBOX_maya"
    assert subjects.signal("typing", "01ab") == "cc.sig.typing.01ab"

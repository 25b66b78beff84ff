"""What one is to colleagues and router: the menu of `b`, and a supervisor's `f` for somebody else.

The law: nobody is shown in a state that the bridge has not said; a refusal is a sentence, and without a link nothing changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_tui.keys import Place
from agent_tui.model import presence
from agent_tui.model.clean import clean_line
from broker_bridge.contract.commands import Force, Presence, Refusal
from broker_bridge.contract.views import Colleague

if TYPE_CHECKING:
    from agent_tui.keys import KeyTable
    from agent_tui.screens.monitor import Monitor
    from agent_tui.screens.presence import Chosen
    from agent_tui.screens.workstation import Workstation


def choose(screen: Workstation) -> None:
    """Opens the menu; what is chosen is asked of the bridge."""
    from agent_tui.screens.presence import Presencing

    def given(chosen: Chosen | None) -> None:
        if chosen is not None:
            wish = presence.wish(chosen.option, is_next=chosen.is_next, until_ms=chosen.until_ms)
            screen.run_worker(_be(screen, wish), group="presence", exclusive=True)

    place = screen.place
    found = presence.options(place.state.me, place.reasons)
    screen.app.push_screen(Presencing(place, found, again=keys_of(screen.keys, screen.where)), given)


def keys_of(keys: KeyTable, where: Place, name: str = "presence") -> frozenset[str]:
    """As Textual names them."""
    return frozenset(key for key, action in keys.bindings(where).items() if action == name)


async def _be(screen: Workstation, wish: Presence) -> None:
    answer = await screen.place.ask(wish)
    if answer is None:
        screen.say("Without a link nobody can be told: you stay as you are.")
    elif isinstance(answer, Refusal):
        screen.say(answer.sentence)


def force(screen: Monitor, one: Colleague) -> None:
    """A supervisor sets a colleague's state."""
    from agent_tui.screens.presence import Presencing

    name = clean_line(one.name, 40) or one.agent

    def given(chosen: Chosen | None) -> None:
        if chosen is not None:
            wish = Force(agent=one.agent, state=chosen.option.state, reason=chosen.option.reason)
            screen.run_worker(_force(screen, name, wish), group="force", exclusive=True)

    found, now = presence.forced(screen.place.reasons), presence.word(one.state, one.reason)
    screen.app.push_screen(Presencing(screen.place, found, whom=name, now=now), given)


async def _force(screen: Monitor, name: str, wish: Force) -> None:
    answer = await screen.place.ask(wish)
    if answer is None:
        screen.say(f"Without a link nothing can be set: {name} stays as they are.")
    elif isinstance(answer, Refusal):
        screen.say(answer.sentence)
    else:
        screen.say(f"{name}: {presence.word(wish.state, wish.reason)}.")
        screen.fetch_soon()

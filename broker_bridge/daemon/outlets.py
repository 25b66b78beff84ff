"""The configured channels and queues as desks know them: words, how addresses are spelled, what queues are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

import msgspec

from broker_bridge.channel import Capabilities
from broker_bridge.core import views as rules
from broker_bridge.core.conversation import Conversation


class Outlet(msgspec.Struct, frozen=True, kw_only=True):
    """A configured channel, as far as desks are concerned."""

    name: str
    kind: str
    capabilities: Capabilities
    own_addresses: tuple[str, ...] = ()
    """Ours, lower case: never among the people of a reply."""


class Outlets:
    """All of them, by channel name."""

    def __init__(self, outlets: Mapping[str, Outlet], words: Mapping[str, str]) -> None:
        """`words`: channel kind to its word of four letters."""
        self._outlets = outlets
        self._words = words

    def word(self, kind: str) -> str:
        return self._words.get(kind, kind[:4])

    @property
    def names(self) -> Set[str]:
        return self._outlets.keys()

    def by_name(self, channel: str) -> Outlet:
        """Raises KeyError: it is not set up."""
        return self._outlets[channel]

    @property
    def kinds(self) -> list[str]:
        """Every kind once, in the order of the configuration."""
        return list(dict.fromkeys(outlet.kind for outlet in self._outlets.values()))

    def spelled(self, kind: str, whole: bool) -> Callable[[str], str]:
        """How addresses of a channel kind are shown to somebody who may see them whole, or not."""
        if any(outlet.kind == kind and not outlet.capabilities.has_address for outlet in self._outlets.values()):
            return lambda address: f"visitor {address[:4]}"
        return str if whole else rules.masked


def without_address(name: str, state: Conversation) -> str:
    """Mail programs like to put the address where the name belongs."""
    for address in state.handles.values():
        if address and address.casefold() in name.casefold():
            return rules.masked(address)
    return name

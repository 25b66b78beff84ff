"""The channel kind `fake` with a provider that drops the second send of one message."""

from __future__ import annotations

import msgspec

from broker_bridge.channel import Site
from tests.daemon.kinds.fake import CAPABILITIES as UNSURE
from tests.daemon.kinds.fake import Fake, Settings, describe

__all__ = ["CAPABILITIES", "Settings", "describe", "make"]

CAPABILITIES = msgspec.structs.replace(UNSURE, word="sure", idempotent_send=True)


def make(name: str, settings: Settings, site: Site) -> Fake:
    return Fake(name, "fakesure", settings, site, drops_repeats=True)

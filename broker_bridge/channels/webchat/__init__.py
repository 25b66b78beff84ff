"""Web chat: a page and a widget for browsers, one socket a tab, every message stored before it is acknowledged."""

import time

import msgspec

from broker_bridge.channel import Site
from broker_bridge.channels.webchat.connection import CAPABILITIES, WebChat
from broker_bridge.channels.webchat.frames import Malformed, parse
from broker_bridge.channels.webchat.settings import ChatSettings as Settings

__all__ = ["CAPABILITIES", "Settings", "describe", "make"]


def make(name: str, settings: Settings, site: Site) -> WebChat:
    """The web chat called `name` in the configuration."""
    return WebChat(name, settings, site, time.monotonic)


def describe(raw: bytes) -> msgspec.Struct:
    """What a browser's frame means, or the refusal it gets."""
    try:
        return parse(raw.decode("utf-8", "replace"))
    except Malformed as error:
        return error.refused

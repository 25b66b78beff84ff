"""A running web chat for each test."""

from collections.abc import AsyncIterator

import pytest

from broker_bridge.channels.webchat.settings import ChatSettings
from tests.channels.webchat.desk_in_memory import DeskInMemory
from tests.channels.webchat.site import SHOP, Clock, Site


@pytest.fixture
def settings() -> ChatSettings:
    return ChatSettings(origins=(SHOP,), title="Chat with Nordbank", upload_max_bytes=200_000)


@pytest.fixture
async def site(settings: ChatSettings) -> AsyncIterator[Site]:
    running = Site(DeskInMemory(), settings, Clock())
    await running.start()
    yield running
    await running.stop()

"""Real brokers for the daemon's tests: `broker` for one test alone, `shared_broker` for a file whose tests keep apart."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from broker_bridge.daemon import streams
from broker_bridge.daemon.bus import Bus
from tests.daemon.real_broker import RealBroker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RealBroker]:
    """A server for this test alone; the test may kill and restart it."""
    server = RealBroker(tmp_path / "broker")
    server.start()
    yield server
    # Not `stop`: an orderly end takes a quarter of a second, and nobody needs this store again.
    server.kill()


@pytest.fixture(scope="module")
def shared_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    """A server for all tests of a file."""
    server = RealBroker(tmp_path_factory.mktemp("broker"))
    server.start()
    yield server
    # Not `stop`: an orderly end takes a quarter of a second, and nobody needs this store again.
    server.kill()


@pytest_asyncio.fixture
async def bus(broker: RealBroker) -> AsyncIterator[Bus]:
    """A bridge's connection to `broker`, with all streams made."""
    connection = await broker.connect()
    await streams.ensure(connection, streams.StreamSettings())
    yield connection
    await connection.close()

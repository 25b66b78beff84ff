"""The disk of a simulated bridge: the daemon's own read model, in memory, made from a picture of an empty one.

Law: every statement is the daemon's own. Three things are cheaper than on a disk, as nothing is asked of them here: the tables are
made once for all histories; there are no indexes, which only make large tables quick; and the index of words is a plain table (nobody
searches in a history, and its rows are compared all the same).
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import sqlite3

from broker_bridge.daemon.readmodel import ReadModel

_INDEX = re.compile(r"CREATE INDEX [^;]*;")
_WORDS = re.compile(r"CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 \(([^;]*?),\s*tokenize[^;]*\)")


class ShelfModel(ReadModel):
    """A read model that is quick to make."""

    def __init__(self) -> None:
        super().__init__(None)

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(":memory:", isolation_level="DEFERRED")
        db.deserialize(_empty())
        return db


@functools.cache
def _empty() -> bytes:
    schema = (importlib.resources.files("broker_bridge.daemon") / "schema.sql").read_text("utf-8")
    tables = _INDEX.sub("", schema)
    plain, times = _WORDS.subn(lambda found: f"CREATE TABLE words ({found[1].replace('UNINDEXED', '')})", tables)
    assert times == 1, "the index of words is made in another way now"
    db = sqlite3.connect(":memory:")
    db.executescript(plain)
    db.commit()
    return db.serialize()

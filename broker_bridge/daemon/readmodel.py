"""The read model: what LOG says, in SQLite, ready to be asked.

Law: the position and the rows of the facts up to it are one transaction. It can be thrown away and is then made again from LOG, and comes
out equal (`checksum`). One writer (the follower); readers in the same thread, but search. Times are ms since 1970, sequences are LOG's.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.resources
import logging
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import msgspec

from broker_bridge.contract import codec
from broker_bridge.contract.views import Item
from broker_bridge.core import standing as stands
from broker_bridge.core.state import Conversation

_KEEP_CONVERSATION = f"INSERT OR REPLACE INTO conversation VALUES ({', '.join('?' * 20)})"  # noqa: S608 - marks only
log = logging.getLogger(__name__)

VERSION = "6"
MOST_MOVED_WHOLE = 5_000
"""Items of a merge that are told to whoever looks."""
_items = msgspec.json.Decoder(Item)
_KINDS = hashlib.sha256(" ".join(sorted(codec.KINDS)).encode()).hexdigest()[:16]
"""Names the facts that this version can read."""


class ReadModel:
    """One open database. Not for use from several threads."""

    def __init__(self, path: Path | None) -> None:
        """`path`: the file, made 0600 if absent; None = in memory. A database of another version is made again."""
        self.path = path
        self._searching = asyncio.Lock()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = self._open_or_make()
        self._rows: defaultdict[str, list[tuple[object, ...]]] = defaultdict(list)
        """Rows of the follower's group that SQLite has not been given yet, by statement; whoever reads gives them first."""
        if self.meta("version") not in (None, VERSION):
            self._start_over()
        self.set_meta("version", VERSION)
        self.db.commit()

    @property
    def db(self) -> sqlite3.Connection:
        """The database with everything that was added."""
        if self._rows:
            self._give()
        return self._db

    def _give(self) -> None:
        rows, self._rows = self._rows, defaultdict(list)
        for statement, values in rows.items():
            self._db.executemany(statement, values)

    def _open(self) -> sqlite3.Connection:
        if self.path is not None:
            # Beforehand: SQLite would make it as the umask says, and its journals take after it.
            descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
            os.fchmod(descriptor, 0o600)
            os.close(descriptor)
        db = sqlite3.connect(self.path or ":memory:", isolation_level="DEFERRED", timeout=10.0)
        db.execute("PRAGMA journal_mode = WAL")
        # A lost tail is read again from LOG, so no sync at each commit.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA mmap_size = 268435456")
        db.execute("PRAGMA cache_size = -65536")
        # Every checkpoint syncs: with the default of 1,000 pages several a second under load.
        db.execute("PRAGMA wal_autocheckpoint = 8000")
        db.executescript((importlib.resources.files("broker_bridge.daemon") / "schema.sql").read_text("utf-8"))
        return db

    def _open_or_make(self) -> sqlite3.Connection:
        """The database as it is; one that cannot be read is made again from LOG, which holds the truth."""
        try:
            db = self._open()
            db.execute("SELECT value FROM meta WHERE name = 'position'").fetchone()
        except sqlite3.OperationalError:
            # Locked, no room, no right: it is the machine's fault and not the file's.
            raise
        except sqlite3.DatabaseError:
            log.error("the read model is damaged and is made again")
            self._remove()
            return self._open()
        return db

    def _remove(self) -> None:
        if self.path is not None:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def _start_over(self) -> None:
        self._rows.clear()
        self._db.close()
        self._remove()
        self._db = self._open()

    def close(self) -> None:
        """Whatever stands without its position is dropped: it is read again from LOG, and must not be there twice."""
        self._rows.clear()
        self._db.rollback()
        self._db.close()

    # position

    def meta(self, name: str) -> str | None:
        row = self.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set_meta(self, name: str, value: str) -> None:
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    @property
    def position(self) -> int:
        """LOG sequence up to which everything is in here."""
        return int(self.meta("position") or 0)

    def begin_with(self, stream_id: str, last_seq: int | None = None) -> None:
        """Bind the database to one stream (its creation time); of another stream's facts nothing is kept.

        Args:
            last_seq: the stream's head. One behind this position (a copy from a backup) has other facts in these places; and what was
                blocked by unknown facts is read again once this version knows more kinds.
        """
        is_other = self.meta("stream") not in (None, stream_id) or (last_seq is not None and self.position > last_seq)
        if is_other or (self.meta("kinds") not in (None, _KINDS) and self._has_blocked()):
            self._start_over()
            self.set_meta("version", VERSION)
        self.set_meta("stream", stream_id)
        self.set_meta("kinds", _KINDS)
        self.db.commit()

    def _has_blocked(self) -> bool:
        return self.db.execute("SELECT 1 FROM aggregate WHERE blocked <> '' LIMIT 1").fetchone() is not None

    def commit(self, position: int) -> None:
        """End a transaction of the follower."""
        self.set_meta("position", str(position))
        self.db.commit()

    # aggregates

    def load(self, kind: str, name: str) -> tuple[bytes, str] | None:
        """The encoded state of an aggregate and why it is blocked, if it is."""
        row = self.db.execute("SELECT state, blocked FROM aggregate WHERE kind = ? AND id = ?", (kind, name)).fetchone()
        return (row[0], row[1]) if row else None

    def keep(self, kind: str, name: str, seq: int, state: bytes, blocked: str = "") -> None:
        self._rows["INSERT OR REPLACE INTO aggregate VALUES (?, ?, ?, ?, ?)"].append((kind, name, seq, state, blocked))

    def names(self, kind: str) -> list[str]:
        """Ids of all aggregates of a kind."""
        return [row[0] for row in self.db.execute("SELECT id FROM aggregate WHERE kind = ?", (kind,))]

    def keep_conversation(self, state: Conversation) -> None:
        """What lists, router and dispatch ask for, beside the encoded state."""
        out = state.next_out()
        self._rows[_KEEP_CONVERSATION].append(
            (
                state.id,
                state.number,
                state.customer,
                state.status,
                state.queue,
                state.owner,
                state.offer.agent if state.offer else "",
                state.offer.until_ms if state.offer else None,
                state.channel_kind,
                state.waiting_since_ms,
                state.opened_ms,
                state.accepted_ms,
                state.closed_ms,
                state.last_ms,
                out.fact.channel if out else "",
                state.text,
                state.answered,
                state.answered_late,
                state.due_ms if state.is_open else None,
                stands.encode(stands.standing(state)) if _is_on_floor(state) else None,
            )
        )

    # items and words

    def add_item(self, conversation: str, item: Item, place: int, *, whole: str = "", raw: str = "") -> None:
        """A thread item; `whole` is its text where the item was cut, `raw` the digest of its source."""
        self._rows["INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"].append(
            (item.seq, place, conversation, item.id, item.rev, codec.encode(item), whole, raw, conversation)
        )

    def change_item(self, item: Item) -> None:
        self.db.execute(
            "UPDATE item SET rev = ?, body = ? WHERE id = ? AND seq = ?",
            (item.rev, codec.encode(item), item.id, item.seq),
        )

    def item(self, message: str) -> Item | None:
        row = self.db.execute("SELECT body FROM item WHERE id = ?", (message,)).fetchone()
        return _items.decode(row[0]) if row else None

    def home_of(self, message: str) -> str:
        """The case that a message stands in now, after merges and splits; empty: there is no such message."""
        row = self.db.execute("SELECT conversation FROM item WHERE id = ?", (message,)).fetchone()
        return row[0] if row else ""

    def move_items(self, where: str, values: tuple[object, ...], to: str, rev: int, case: str, home: str = "") -> None:
        """Show items in another case, changed at `rev`, so that whoever looks gets them.

        Args:
            where: a condition on items, written in this package. case: number of the case that they came from; empty: their own.
            home: where they belong from here on, if that changes too.
        """
        found = self.db.execute(
            f"SELECT seq, place, body FROM item WHERE {where} ORDER BY seq DESC LIMIT ?",  # noqa: S608
            (*values, MOST_MOVED_WHOLE),
        ).fetchall()
        # The oldest of a very long case come without the number that they had.
        self.db.execute(
            f"UPDATE item SET conversation = ?{', home = ?' if home else ''} WHERE {where}",  # noqa: S608
            (to, *((home,) if home else ()), *values),
        )
        changed = []
        for seq, place, body in found:
            item = msgspec.structs.replace(_items.decode(body), case=case, rev=rev)
            changed.append((rev, codec.encode(item), seq, place))
        self.db.executemany("UPDATE item SET rev = ?, body = ? WHERE seq = ? AND place = ?", changed)

    # tasks

    def keep_task(self, task: str, conversation: str, values: dict[str, object]) -> None:
        """Add a task, or change what is known of it. `values`: columns of the table."""
        names = ", ".join(values)
        marks = ", ".join("?" for _ in values)
        sets = ", ".join(f"{name} = excluded.{name}" for name in (*values, "conversation"))
        self.db.execute(
            f"INSERT INTO task (id, conversation, {names}) VALUES (?, ?, {marks}) "  # noqa: S608
            f"ON CONFLICT (id) DO UPDATE SET {sets}",
            (task, conversation, *values.values()),
        )

    def end_task(self, task: str, conversation: str, at_ms: int, is_dropped: bool) -> None:
        """It is done, unless it went to another case meanwhile (a merge that was undone)."""
        self.db.execute(
            "UPDATE task SET done_ms = ?, is_dropped = ? WHERE id = ? AND conversation = ?",
            (at_ms, is_dropped, task, conversation),
        )

    def tasks(self, where: str, values: Iterable[object], limit: int) -> list[tuple[object, ...]]:
        """(id, conversation, what, made_by, assignee, due_ms, observers, text, number, at_ms, done_ms, is_dropped) by a condition
        written in this package; those due first at the top, the done ones newest first.
        """
        return self.db.execute(
            f"SELECT * FROM task WHERE {where} "  # noqa: S608
            "ORDER BY done_ms IS NOT NULL, done_ms DESC, due_ms IS NULL, due_ms, at_ms LIMIT ?",
            (*values, limit),
        ).fetchall()

    def count_tasks(self, where: str, values: Iterable[object]) -> int:
        row = self.db.execute(f"SELECT COUNT(*) FROM task WHERE {where}", tuple(values)).fetchone()  # noqa: S608
        return int(row[0])

    def whole(self, conversation: str, message: str) -> tuple[str, str] | None:
        """(whole text, digest of the raw source or "") of one message of a conversation."""
        row = self.db.execute(
            "SELECT body, whole, raw FROM item WHERE id = ? AND conversation = ?", (message, conversation)
        ).fetchone()
        if row is None:
            return None
        return row[1] or _items.decode(row[0]).text, row[2]

    def items(self, conversation: str, before: int | None, limit: int) -> list[Item]:
        """Newest items below a sequence, oldest first."""
        rows = self.db.execute(
            "SELECT body FROM item WHERE conversation = ? AND seq < ? ORDER BY seq DESC, place DESC LIMIT ?",
            (conversation, before if before is not None else 2**62, limit),
        ).fetchall()
        return [_items.decode(row[0]) for row in reversed(rows)]

    def page(self, conversation: str, before: int | None, limit: int) -> tuple[list[Item], bool]:
        """As `items`, and whether there are older ones. Siblings of one sequence stay together: `before` cannot part them."""
        found = self.items(conversation, before, limit + 1)
        if len(found) <= limit:
            return found, False
        whole = [item for item in found if item.seq != found[0].seq]
        if whole:
            return whole, True
        only = found[0].seq
        rows = self.db.execute(
            "SELECT body FROM item WHERE conversation = ? AND seq = ? ORDER BY place", (conversation, only)
        ).fetchall()
        return [_items.decode(row[0]) for row in rows], bool(self.items(conversation, only, 1))

    def bodies_with(self, conversation: str, text: str) -> list[Item]:
        """Items of a conversation whose encoded form holds `text` (a digest: letters and digits)."""
        rows = self.db.execute(
            "SELECT body FROM item WHERE conversation = ? AND instr(body, CAST(? AS BLOB)) > 0 LIMIT 5",
            (conversation, text),
        ).fetchall()
        return [_items.decode(row[0]) for row in rows]

    def items_after(self, conversation: str, after: int, limit: int) -> list[Item]:
        """Items above a sequence, oldest first."""
        rows = self.db.execute(
            "SELECT body FROM item WHERE conversation = ? AND seq > ? ORDER BY seq, place LIMIT ?",
            (conversation, after, limit),
        ).fetchall()
        return [_items.decode(row[0]) for row in rows]

    def items_changed(self, conversation: str, since: int) -> list[Item]:
        """Items whose last change is after a sequence, by that change: the first 200, and all of the last one's sequence."""
        rows = self.db.execute(
            "SELECT body FROM item WHERE conversation = ?1 AND rev > ?2 AND rev <= COALESCE((SELECT rev FROM item "
            "WHERE conversation = ?1 AND rev > ?2 ORDER BY rev LIMIT 1 OFFSET 199), 9e18) ORDER BY rev, seq, place",
            (conversation, since),
        ).fetchall()
        return [_items.decode(row[0]) for row in rows]

    def index_words(self, conversation: str, text: str) -> None:
        # For the index a text ends at its first NUL: whoever writes one would not be found by what follows, their name among it.
        plain = text[:100_000].replace("\x00", " ")
        if plain.strip():
            self._rows["INSERT INTO words (text, conversation) VALUES (?, ?)"].append((plain, conversation))

    async def search(self, text: str, limit: int) -> list[str]:
        """Conversations that hold every word of `text` (any script, parts of words) in one message, name or address, newest first."""
        parts = text.replace("\x00", " ").split()[:10]
        if not parts:
            return []
        long = [part for part in parts if len(part) >= 3]
        clauses, values = [], []
        if long:
            clauses.append("words MATCH ?")
            values.append(" ".join('"' + part.replace('"', '""') + '"' for part in long))
        for part in parts:
            if len(part) < 3:
                clauses.append("text LIKE ? ESCAPE '\\'")
                escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
                values.append(f"%{escaped}%")
        # By rowid, never by rank: 0.2 to 1.3 ms against 751 ms at a million rows.
        query = f"SELECT conversation FROM words WHERE {' AND '.join(clauses)} ORDER BY rowid DESC LIMIT ?"  # noqa: S608
        return await self._apart(query, (*values, limit * 20), limit)

    async def _apart(self, query: str, values: tuple[object, ...], limit: int) -> list[str]:
        """Run a query that may take long on a connection and in a thread of its own: one at a time, the loop goes on."""
        if self.path is None:
            return _distinct(self.db.execute(query, values), limit)
        async with self._searching:
            return await asyncio.to_thread(_search_file, self.path, query, values, limit)

    # hints and the ledger

    def hint(self, kind: str, value: str, conversation: str, message: str) -> None:
        self._rows["INSERT OR REPLACE INTO hint VALUES (?, ?, ?, ?)"].append((kind, value, conversation, message))

    def hinted(self, kind: str, value: str) -> list[tuple[str, str]]:
        """(conversation, message) pairs, to be confirmed against the aggregate they point to."""
        return self.db.execute(
            "SELECT conversation, message FROM hint WHERE kind = ? AND value = ? LIMIT 20", (kind, value)
        ).fetchall()

    def apply_item(self, item: str, channel: str, conversation: str) -> None:
        self._rows["INSERT OR IGNORE INTO applied VALUES (?, ?, ?)"].append((item, channel, conversation))

    def is_applied(self, item: str) -> bool:
        return self.db.execute("SELECT 1 FROM applied WHERE item = ?", (item,)).fetchone() is not None

    def add_counted(self, channel: str, stored: int, quarantined: int) -> None:
        self.db.execute(
            "INSERT INTO counted VALUES (?, ?, ?) ON CONFLICT (channel) DO UPDATE SET stored = stored + excluded.stored, "
            "quarantined = quarantined + excluded.quarantined",
            (channel, stored, quarantined),
        )

    def erase(self, conversation: str) -> None:
        """Drop everything readable of one conversation, also where it was shown in another one; what came from others goes home."""
        for statement in (
            "DELETE FROM item WHERE home = ? AND home <> conversation",
            "UPDATE item SET conversation = home WHERE conversation = ? AND home <> conversation",
            "DELETE FROM item WHERE conversation = ?",
            "DELETE FROM words WHERE conversation = ?",
            "DELETE FROM hint WHERE conversation = ?",
            "DELETE FROM task WHERE conversation = ?",
        ):
            self.db.execute(statement, (conversation,))

    # checks

    def checksum(self) -> str:
        """SHA-256 over every row but the position: two models of the same log agree in it."""
        digest = hashlib.sha256()
        for table, order in _ORDERED:
            for row in self.db.execute(f"SELECT * FROM {table} ORDER BY {order}"):  # noqa: S608
                digest.update(repr((table, row)).encode())
        return digest.hexdigest()

    def ids(self, where: str, values: Iterable[object] = (), limit: int = 1_000, offset: int = 0) -> list[str]:
        """Ids of conversations by a condition written in this package, never from outside."""
        query = f"SELECT id FROM conversation WHERE {where} LIMIT ? OFFSET ?"  # noqa: S608
        return [row[0] for row in self.db.execute(query, (*values, limit, offset))]

    def count(self, where: str, values: Iterable[object] = ()) -> int:
        row = self.db.execute(f"SELECT COUNT(*) FROM conversation WHERE {where}", tuple(values)).fetchone()  # noqa: S608
        return int(row[0])


_ORDERED = (
    ("aggregate", "kind, id"),
    ("conversation", "id"),
    ("item", "seq, place"),
    ("hint", "kind, value, conversation"),
    ("applied", "item"),
    ("counted", "channel"),
    ("words", "rowid"),
    ("task", "id"),
)


def _is_on_floor(state: Conversation) -> bool:
    """Whether the router has to know of it after a restart."""
    return state.is_open or state.wrap is not None or bool(state.tasks)


def _search_file(path: Path, query: str, values: tuple[object, ...], limit: int) -> list[str]:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)
    try:
        return _distinct(db.execute(query, values), limit)
    finally:
        db.close()


def _distinct(rows: Iterable[tuple[str]], limit: int) -> list[str]:
    found: dict[str, None] = {}
    for (conversation,) in rows:
        found.setdefault(conversation)
        if len(found) >= limit:
            break
    return list(found)

-- The read model of one bridge: everything here can be made again from LOG, and comes out equal.
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS aggregate (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    state BLOB NOT NULL,
    blocked TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS conversation (
    id TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    customer TEXT NOT NULL,
    status TEXT NOT NULL,
    queue TEXT NOT NULL,
    owner TEXT NOT NULL,
    offered_to TEXT NOT NULL,
    offer_until_ms INTEGER,
    channel_kind TEXT NOT NULL,
    waiting_since_ms INTEGER,
    opened_ms INTEGER NOT NULL,
    accepted_ms INTEGER NOT NULL,
    closed_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    out_channel TEXT NOT NULL,
    text TEXT NOT NULL,
    answered INTEGER NOT NULL,
    answered_late INTEGER NOT NULL,
    due_ms INTEGER,
    standing BLOB
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS conversation_standing ON conversation (id) WHERE standing IS NOT NULL;
CREATE INDEX IF NOT EXISTS conversation_status ON conversation (status, queue, waiting_since_ms);
CREATE INDEX IF NOT EXISTS conversation_owner ON conversation (owner) WHERE owner <> '';
CREATE INDEX IF NOT EXISTS conversation_offer ON conversation (offered_to) WHERE offered_to <> '';
CREATE INDEX IF NOT EXISTS conversation_customer ON conversation (customer, last_ms);
CREATE INDEX IF NOT EXISTS conversation_out ON conversation (out_channel) WHERE out_channel <> '';
CREATE INDEX IF NOT EXISTS conversation_number ON conversation (number);
CREATE INDEX IF NOT EXISTS conversation_last ON conversation (status, last_ms);
CREATE INDEX IF NOT EXISTS conversation_due ON conversation (due_ms, queue) WHERE due_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS conversation_answered ON conversation (last_ms, queue, answered, answered_late) WHERE answered > 0;
CREATE TABLE IF NOT EXISTS item (
    seq INTEGER NOT NULL,
    place INTEGER NOT NULL,
    conversation TEXT NOT NULL,
    id TEXT NOT NULL,
    rev INTEGER NOT NULL,
    body BLOB NOT NULL,
    whole TEXT NOT NULL DEFAULT '',
    raw TEXT NOT NULL DEFAULT '',
    home TEXT NOT NULL,
    PRIMARY KEY (seq, place)
);
CREATE INDEX IF NOT EXISTS item_conversation ON item (conversation, seq, place);
CREATE INDEX IF NOT EXISTS item_id ON item (id);
CREATE INDEX IF NOT EXISTS item_home ON item (home) WHERE home <> conversation;
CREATE TABLE IF NOT EXISTS hint (kind TEXT NOT NULL, value TEXT NOT NULL, conversation TEXT NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (kind, value, conversation)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS applied (item TEXT PRIMARY KEY, channel TEXT NOT NULL, conversation TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS applied_channel ON applied (channel);
CREATE TABLE IF NOT EXISTS counted (channel TEXT PRIMARY KEY, stored INTEGER NOT NULL, quarantined INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (text, conversation UNINDEXED, tokenize = 'trigram');
CREATE TABLE IF NOT EXISTS task (
    id TEXT PRIMARY KEY,
    conversation TEXT NOT NULL,
    what TEXT NOT NULL DEFAULT 'task',
    made_by TEXT NOT NULL DEFAULT '',
    assignee TEXT NOT NULL DEFAULT '',
    due_ms INTEGER,
    observers TEXT NOT NULL DEFAULT '',
    text TEXT NOT NULL DEFAULT '',
    number TEXT NOT NULL DEFAULT '',
    at_ms INTEGER NOT NULL DEFAULT 0,
    done_ms INTEGER,
    is_dropped INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS task_assignee ON task (assignee, due_ms) WHERE done_ms IS NULL;
CREATE INDEX IF NOT EXISTS task_conversation ON task (conversation);

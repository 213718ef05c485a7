"""The journal becomes sealed: events as canonical JSON, the tree over them, its signed heads, keys, cosignatures and archives.

An event is one JSON text, byte for byte as it is hashed; what is searched for is indexed out of it, so that no second copy can say
something else. Everything about the seal is insert-only, for everybody. An event leaves the table only when an archive covers it;
its hash stays. Layout of the leaves and the tree: docs/reference/journal-format.md.
"""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import Row, text

from polyceph.store.canonical import canonical

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_EVENT = r"""
CREATE TABLE polyceph.event (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    body json NOT NULL,
    CONSTRAINT event_is_an_object CHECK (json_typeof(body) = 'object'),
    CONSTRAINT event_action_is_noun_verb CHECK (coalesce(body ->> 'action', '') ~ '^[a-z][a-z_]*\.[a-z][a-z_-]*$')
);
CREATE INDEX event_by_transaction ON polyceph.event (xid);
CREATE INDEX event_by_time ON polyceph.event USING brin (at);
CREATE INDEX event_by_action ON polyceph.event ((body ->> 'action'), seq);
CREATE INDEX event_by_actor ON polyceph.event ((body #>> '{actor,id}'), seq);
CREATE INDEX event_by_subject ON polyceph.event ((body #>> '{subject,id}'), seq);
CREATE INDEX event_by_domain ON polyceph.event ((body #>> '{subject,domain}'), seq);
"""

_COPY = """
INSERT INTO polyceph.event (seq, at, xid, body) OVERRIDING SYSTEM VALUE VALUES (:seq, :at, CAST(:xid AS xid8), CAST(:body AS json))
"""

_SEAL = """
CREATE TABLE polyceph.journal_log (
    origin text PRIMARY KEY CONSTRAINT journal_origin_is_plain CHECK (origin ~ '^[a-z0-9_./-]+$'),
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX journal_is_one ON polyceph.journal_log ((true));
CREATE TABLE polyceph.journal_leaf (
    index bigint PRIMARY KEY CHECK (index >= 0),
    event bigint NOT NULL UNIQUE,
    hash bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE TABLE polyceph.journal_node (
    level smallint NOT NULL CHECK (level > 0),
    index bigint NOT NULL CHECK (index >= 0),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, index)
);
CREATE TABLE polyceph.journal_seal (
    size bigint PRIMARY KEY CHECK (size > 0),
    upto xid8 NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE polyceph.journal_head (
    size bigint PRIMARY KEY CHECK (size > 0),
    note text NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE polyceph.journal_cosignature (
    size bigint NOT NULL REFERENCES polyceph.journal_head (size),
    witness text NOT NULL,
    line text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (size, witness)
);
CREATE TABLE polyceph.journal_key (
    number integer PRIMARY KEY CHECK (number >= 0),
    key text NOT NULL UNIQUE,
    rotation text,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT journal_key_is_introduced CHECK ((number = 0) = (rotation IS NULL))
);
CREATE TABLE polyceph.journal_archive (
    size bigint PRIMARY KEY CHECK (size > 0),
    root bytea NOT NULL CHECK (length(root) = 32),
    place text NOT NULL,
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    archived_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE polyceph.pseudonym (
    lookup bytea PRIMARY KEY CHECK (length(lookup) = 32),
    key bytea NOT NULL CHECK (length(key) = 32),
    pseudonym text NOT NULL UNIQUE
);
CREATE FUNCTION polyceph.leaf(number bigint, at timestamptz, body json, origin text) RETURNS text
    LANGUAGE sql STABLE RETURN '{"at":"' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        || '","event":' || body::text || ',"log":"' || origin || '","seq":' || number || '}';
"""

_TRIGGERS = """
CREATE OR REPLACE FUNCTION polyceph.require_event() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    -- A restored database counts transactions anew: an old event may bear this number, but not a time after this beginning.
    IF NOT EXISTS (SELECT FROM polyceph.event WHERE xid = pg_current_xact_id() AND at >= transaction_timestamp()) THEN
        RAISE EXCEPTION 'table % was changed and no event says so', TG_TABLE_NAME USING ERRCODE = 'PC001';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION polyceph.keep_until_archived() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM polyceph.journal_leaf l WHERE l.event = OLD.seq
                   AND l.index < (SELECT max(a.size) FROM polyceph.journal_archive a)) THEN
        RAISE EXCEPTION 'event % is in no archive: DELETE is refused', OLD.seq USING ERRCODE = 'PC002';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER event_is_kept BEFORE UPDATE OR TRUNCATE ON polyceph.event
    FOR EACH STATEMENT EXECUTE FUNCTION polyceph.keep_for_ever();
ALTER TABLE polyceph.event ENABLE ALWAYS TRIGGER event_is_kept;
CREATE TRIGGER event_is_archived_first BEFORE DELETE ON polyceph.event
    FOR EACH ROW EXECUTE FUNCTION polyceph.keep_until_archived();
ALTER TABLE polyceph.event ENABLE ALWAYS TRIGGER event_is_archived_first;
"""
_KEPT = """
CREATE TRIGGER {table}_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON polyceph.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION polyceph.keep_for_ever();
ALTER TABLE polyceph.{table} ENABLE ALWAYS TRIGGER {table}_is_kept;
"""
_EXPLAINED = """
CREATE CONSTRAINT TRIGGER {table}_needs_event AFTER INSERT OR UPDATE OR DELETE ON polyceph.{table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION polyceph.require_event();
ALTER TABLE polyceph.{table} ENABLE ALWAYS TRIGGER {table}_needs_event;
"""
_INSERT_ONLY = (
    "journal_log",
    "journal_leaf",
    "journal_node",
    "journal_seal",
    "journal_head",
    "journal_cosignature",
    "journal_key",
    "journal_archive",
)
_NEED_EVENT = ("journal_log", "journal_key", "journal_archive", "pseudonym")

_RIGHTS = """
GRANT SELECT ON ALL TABLES IN SCHEMA polyceph TO polyceph_app;
GRANT INSERT (body) ON polyceph.event TO polyceph_app;
GRANT INSERT (origin) ON polyceph.journal_log TO polyceph_app;
GRANT INSERT ON polyceph.journal_leaf, polyceph.journal_node TO polyceph_app;
GRANT INSERT (size, upto) ON polyceph.journal_seal TO polyceph_app;
GRANT INSERT (size, note) ON polyceph.journal_head TO polyceph_app;
GRANT INSERT (size, witness, line) ON polyceph.journal_cosignature TO polyceph_app;
GRANT INSERT (number, key, rotation) ON polyceph.journal_key TO polyceph_app;
GRANT INSERT, DELETE ON polyceph.pseudonym TO polyceph_app;
"""


def upgrade() -> None:
    """Turn the columns of events into canonical JSON, and make what seals them."""
    op.execute("ALTER TABLE polyceph.event RENAME TO event_in_columns")
    op.execute("ALTER TABLE polyceph.event_in_columns RENAME CONSTRAINT event_pkey TO event_in_columns_pkey")
    op.execute("DROP INDEX polyceph.event_by_transaction, polyceph.event_by_domain, polyceph.event_by_subject")
    op.execute(_EVENT)
    _copy_events()
    op.execute("DROP TABLE polyceph.event_in_columns")
    op.execute(_SEAL)
    op.execute(_TRIGGERS)
    for table in _INSERT_ONLY:
        op.execute(_KEPT.format(table=table))
    for table in _NEED_EVENT:
        op.execute(_EXPLAINED.format(table=table))
    op.execute(_RIGHTS)


def _copy_events() -> None:
    connection = op.get_bind()
    found = connection.execute(text("SELECT * FROM polyceph.event_in_columns ORDER BY seq")).fetchall()
    for row in found:
        body = canonical(f"event {row.seq}", _document(row))
        connection.execute(text(_COPY), {"seq": row.seq, "at": row.at, "xid": str(row.xid), "body": body})
    if found:
        op.execute("SELECT setval(pg_get_serial_sequence('polyceph.event', 'seq'), (SELECT max(seq) FROM polyceph.event))")


def _document(row: Row[Any]) -> dict[str, object]:
    """Return an event of the first form as JSON. Written out here: the product's own mapping goes on changing, a migration must not."""
    parts: dict[str, dict[str, object] | object | None] = {
        "action": row.action,
        "actor": {"kind": row.actor_kind, "id": row.actor_id, "on_behalf_of": row.on_behalf_of},
        "after": row.after,
        "before": row.before,
        "correlation": row.correlation or None,
        "decision": {"allowed": row.allowed, "policy": row.policy, "reason": row.reason},
        "door": row.door,
        "subject": {"kind": row.subject_kind, "id": row.subject_id, "domain": row.domain},
    }
    nested = ("actor", "decision", "subject")
    known = {key: value for key, value in parts.items() if value is not None}
    return {
        key: {name: one for name, one in value.items() if one is not None} if key in nested and isinstance(value, dict) else value
        for key, value in known.items()
    }

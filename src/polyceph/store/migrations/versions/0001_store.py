"""The first tables of the store: the journal, the declarations, what they declare, runs and snapshots.

Rights: the application may add events and read them, no more; it cannot set their number, time or transaction. Triggers refuse
to change or remove an event, for everybody, the owner included; and they refuse, when a transaction commits, any change of a
state table that no event of that transaction explains. `ENABLE ALWAYS`: replication mode does not switch them off.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_EVENT = r"""
CREATE TABLE polyceph.event (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    on_behalf_of text,
    door text NOT NULL,
    action text NOT NULL CONSTRAINT event_action_is_noun_verb CHECK (action ~ '^[a-z][a-z_]*\.[a-z][a-z_-]*$'),
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    domain text,
    allowed boolean NOT NULL,
    policy text,
    reason text,
    before jsonb,
    after jsonb,
    correlation jsonb NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX event_by_transaction ON polyceph.event (xid);
CREATE INDEX event_by_domain ON polyceph.event (domain, seq);
CREATE INDEX event_by_subject ON polyceph.event (subject_kind, subject_id, seq);
"""

_DECLARED = """
CREATE TABLE polyceph.declaration (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    commit text NOT NULL,
    content jsonb NOT NULL
);
CREATE TABLE polyceph.domain (
    name text PRIMARY KEY,
    title jsonb NOT NULL,
    owner text NOT NULL,
    steward text NOT NULL,
    interim_owner text,
    contact text NOT NULL,
    removed_at timestamptz
);
CREATE TABLE polyceph.dataset (
    domain text NOT NULL REFERENCES polyceph.domain (name),
    zone text NOT NULL CONSTRAINT dataset_zone_is_known CHECK (zone IN ('raw', 'bronze', 'silver', 'gold', 'output')),
    name text NOT NULL,
    owner text NOT NULL,
    steward text NOT NULL,
    classification text,
    contract_version text,
    contract_digest text,
    removed_at timestamptz,
    PRIMARY KEY (domain, zone, name)
);
"""

_HAPPENED = """
CREATE TABLE polyceph.run_request (
    request text PRIMARY KEY,
    run text UNIQUE,
    domain text NOT NULL REFERENCES polyceph.domain (name),
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    on_behalf_of text,
    datasets jsonb NOT NULL,
    job text,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status text NOT NULL CONSTRAINT run_request_status_is_known CHECK (status IN ('REQUESTED', 'SUCCESS', 'FAILURE', 'CANCELED')),
    ended_at timestamptz,
    seconds double precision,
    checks_passed integer,
    checks_failed integer,
    error text,
    CONSTRAINT run_request_ends_with_an_outcome CHECK ((status = 'REQUESTED') = (ended_at IS NULL))
);
CREATE INDEX run_request_by_domain ON polyceph.run_request (domain, requested_at);
CREATE TABLE polyceph.snapshot (
    domain text NOT NULL REFERENCES polyceph.domain (name),
    snapshot bigint NOT NULL,
    at timestamptz NOT NULL,
    author text,
    message text,
    extra jsonb NOT NULL,
    changes text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (domain, snapshot)
);
"""

_FUNCTIONS = """
CREATE FUNCTION polyceph.keep_for_ever() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'table % keeps every row: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'PC002';
END $$;
CREATE FUNCTION polyceph.require_event() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM polyceph.event WHERE xid = pg_current_xact_id()) THEN
        RAISE EXCEPTION 'table % was changed and no event says so', TG_TABLE_NAME USING ERRCODE = 'PC001';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER event_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON polyceph.event
    FOR EACH STATEMENT EXECUTE FUNCTION polyceph.keep_for_ever();
ALTER TABLE polyceph.event ENABLE ALWAYS TRIGGER event_is_kept;
"""

_STATE_TRIGGERS = """
CREATE CONSTRAINT TRIGGER {table}_needs_event AFTER INSERT OR UPDATE OR DELETE ON polyceph.{table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION polyceph.require_event();
ALTER TABLE polyceph.{table} ENABLE ALWAYS TRIGGER {table}_needs_event;
CREATE TRIGGER {table}_is_not_emptied BEFORE TRUNCATE ON polyceph.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION polyceph.keep_for_ever();
ALTER TABLE polyceph.{table} ENABLE ALWAYS TRIGGER {table}_is_not_emptied;
"""

_RIGHTS = """
GRANT USAGE ON SCHEMA polyceph TO polyceph_app;
GRANT SELECT ON ALL TABLES IN SCHEMA polyceph TO polyceph_app;
GRANT INSERT (actor_kind, actor_id, on_behalf_of, door, action, subject_kind, subject_id, domain, allowed, policy, reason, before, after,
    correlation) ON polyceph.event TO polyceph_app;
GRANT INSERT (digest, commit, content) ON polyceph.declaration TO polyceph_app;
GRANT INSERT (domain, snapshot, at, author, message, extra, changes) ON polyceph.snapshot TO polyceph_app;
GRANT INSERT, UPDATE ON polyceph.domain, polyceph.dataset TO polyceph_app;
GRANT INSERT (request, run, domain, actor_kind, actor_id, on_behalf_of, datasets, job, status),
    UPDATE (run, status, ended_at, seconds, checks_passed, checks_failed, error) ON polyceph.run_request TO polyceph_app;
"""


def upgrade() -> None:
    """Make the tables, their triggers and the application's rights."""
    for statements in (_EVENT, _DECLARED, _HAPPENED, _FUNCTIONS):
        op.execute(statements)
    for table in ("declaration", "domain", "dataset", "run_request", "snapshot"):
        op.execute(_STATE_TRIGGERS.format(table=table))
    op.execute(_RIGHTS)

"""Sign-in: sessions, sign-ins under way, the local account, service identities and their secrets.

Of a cookie, a link, a token and a state only the hash is kept: who reads the store can act as nobody. When a session or a secret was used
last is no change that an event must explain; that it began, and that it ended, is. Sessions that are over, and short tokens, may be removed
later with an event that says so (GDPR art. 5(1)(e)): the journal keeps that they were.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE polyceph.session (
    key bytea PRIMARY KEY CONSTRAINT session_key_is_a_hash CHECK (length(key) = 32),
    id text NOT NULL UNIQUE,
    provider text NOT NULL,
    subject text NOT NULL,
    actor text NOT NULL,
    person text,
    name text NOT NULL,
    groups jsonb NOT NULL,
    language text,
    provider_session text,
    id_token text,
    agent text NOT NULL,
    opened_at timestamptz NOT NULL,
    touched_at timestamptz NOT NULL,
    idle interval NOT NULL,
    ends_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    CONSTRAINT session_ends_for_a_reason CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT session_forgets_its_token CHECK (ended_at IS NULL OR id_token IS NULL)
);
CREATE INDEX session_open_by_actor ON polyceph.session (actor) WHERE (ended_at IS NULL);
CREATE INDEX session_open_by_subject ON polyceph.session (provider, subject) WHERE (ended_at IS NULL);
CREATE TABLE polyceph.pending_sign_in (
    state bytea PRIMARY KEY CONSTRAINT pending_sign_in_state_is_a_hash CHECK (length(state) = 32),
    browser bytea NOT NULL CONSTRAINT pending_sign_in_browser_is_a_hash CHECK (length(browser) = 32),
    provider text NOT NULL,
    nonce text NOT NULL,
    verifier text NOT NULL,
    target text NOT NULL,
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX pending_sign_in_by_end ON polyceph.pending_sign_in (expires_at);
CREATE TABLE polyceph.seen_token (
    id bytea PRIMARY KEY CONSTRAINT seen_token_id_is_a_hash CHECK (length(id) = 32),
    expires_at timestamptz NOT NULL
);
CREATE INDEX seen_token_by_end ON polyceph.seen_token (expires_at);
CREATE TABLE polyceph.local_account (
    name text PRIMARY KEY,
    made_at timestamptz NOT NULL,
    password text,
    link bytea,
    link_expires_at timestamptz,
    failures integer NOT NULL,
    blocked_until timestamptz,
    person text,
    CONSTRAINT local_account_link_ends CHECK ((link IS NULL) = (link_expires_at IS NULL))
);
CREATE TABLE polyceph.service_identity (
    name text PRIMARY KEY,
    owner text NOT NULL,
    roles jsonb NOT NULL,
    scopes jsonb NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    provider text,
    client text,
    ended_at timestamptz,
    end_reason text,
    last_used_at timestamptz,
    CONSTRAINT service_identity_ends_for_a_reason CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT service_identity_client_is_of_a_provider CHECK ((provider IS NULL) = (client IS NULL))
);
CREATE UNIQUE INDEX service_identity_by_client ON polyceph.service_identity (provider, client) WHERE (ended_at IS NULL);
CREATE TABLE polyceph.service_secret (
    hash bytea PRIMARY KEY CONSTRAINT service_secret_is_a_hash CHECK (length(hash) = 32),
    identity text NOT NULL REFERENCES polyceph.service_identity (name),
    kind text NOT NULL CONSTRAINT service_secret_kind_is_known CHECK (kind IN ('lasting', 'access')),
    label text NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX service_secret_by_identity ON polyceph.service_secret (identity, made_at);
"""

_EXPLAINED = """
CREATE CONSTRAINT TRIGGER {table}_needs_event AFTER INSERT OR UPDATE OF {columns} OR DELETE ON polyceph.{table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION polyceph.require_event();
ALTER TABLE polyceph.{table} ENABLE ALWAYS TRIGGER {table}_needs_event;
CREATE TRIGGER {table}_is_kept BEFORE {kept} ON polyceph.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION polyceph.keep_for_ever();
ALTER TABLE polyceph.{table} ENABLE ALWAYS TRIGGER {table}_is_kept;
"""
_FORGOTTEN = """
CREATE FUNCTION polyceph.keep_open_session() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF OLD.ended_at IS NULL THEN
        RAISE EXCEPTION 'session % is open: DELETE is refused', OLD.id USING ERRCODE = 'PC002';
    END IF;
    RETURN OLD;
END $$;
CREATE FUNCTION polyceph.keep_lasting_secret() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF OLD.kind <> 'access' OR OLD.expires_at > clock_timestamp() THEN
        RAISE EXCEPTION 'a secret of % is kept: DELETE is refused', OLD.identity USING ERRCODE = 'PC002';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER session_is_over_first BEFORE DELETE ON polyceph.session
    FOR EACH ROW EXECUTE FUNCTION polyceph.keep_open_session();
ALTER TABLE polyceph.session ENABLE ALWAYS TRIGGER session_is_over_first;
CREATE TRIGGER service_secret_is_over_first BEFORE DELETE ON polyceph.service_secret
    FOR EACH ROW EXECUTE FUNCTION polyceph.keep_lasting_secret();
ALTER TABLE polyceph.service_secret ENABLE ALWAYS TRIGGER service_secret_is_over_first;
"""
_MAY_BE_FORGOTTEN = ("session", "service_secret")
_COLUMNS = {
    "session": "key, id, provider, subject, actor, person, groups, opened_at, idle, ends_at, ended_at, end_reason",
    "local_account": "name, password, link, failures, blocked_until, person",
    "service_identity": "name, owner, roles, scopes, expires_at, provider, client, ended_at, end_reason",
    "service_secret": "hash, identity, kind, expires_at, ended_at",
}

_RIGHTS = """
GRANT SELECT, INSERT ON polyceph.session, polyceph.pending_sign_in, polyceph.seen_token, polyceph.local_account, polyceph.service_identity,
    polyceph.service_secret TO polyceph_app;
GRANT UPDATE (touched_at, ended_at, end_reason, id_token) ON polyceph.session TO polyceph_app;
GRANT DELETE ON polyceph.pending_sign_in, polyceph.seen_token, polyceph.session, polyceph.service_secret TO polyceph_app;
GRANT UPDATE (password, link, link_expires_at, failures, blocked_until, person) ON polyceph.local_account TO polyceph_app;
GRANT UPDATE (ended_at, end_reason, last_used_at) ON polyceph.service_identity TO polyceph_app;
GRANT UPDATE (expires_at, ended_at, last_used_at) ON polyceph.service_secret TO polyceph_app;
"""


def upgrade() -> None:
    """Make the tables, their triggers and the application's rights."""
    op.execute(_TABLES)
    for table, columns in _COLUMNS.items():
        kept = "TRUNCATE" if table in _MAY_BE_FORGOTTEN else "DELETE OR TRUNCATE"
        op.execute(_EXPLAINED.format(table=table, columns=columns, kept=kept))
    op.execute(_FORGOTTEN)
    op.execute(_RIGHTS)

"""Drift of sources: one task for a data owner per change of a dataset, and what was decided about it."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE polyceph.drift (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain text NOT NULL REFERENCES polyceph.domain (name),
    dataset text NOT NULL,
    digest text NOT NULL,
    body jsonb NOT NULL,
    found_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting',
    covers jsonb NOT NULL DEFAULT '[]',
    decided_at timestamptz,
    decided_by text,
    CONSTRAINT drift_state_is_known CHECK (state IN ('waiting', 'accepted', 'mapped', 'refused')),
    CONSTRAINT drift_is_decided_by_somebody
        CHECK ((state = 'waiting') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL))
);
CREATE UNIQUE INDEX drift_waits_once ON polyceph.drift (dataset, digest) WHERE (state = 'waiting');
CREATE CONSTRAINT TRIGGER drift_needs_event AFTER INSERT OR UPDATE OR DELETE ON polyceph.drift
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION polyceph.require_event();
ALTER TABLE polyceph.drift ENABLE ALWAYS TRIGGER drift_needs_event;
CREATE TRIGGER drift_is_kept BEFORE DELETE OR TRUNCATE ON polyceph.drift
    FOR EACH STATEMENT EXECUTE FUNCTION polyceph.keep_for_ever();
ALTER TABLE polyceph.drift ENABLE ALWAYS TRIGGER drift_is_kept;
GRANT SELECT, INSERT (domain, dataset, digest, body, found_at), UPDATE (state, covers, decided_at, decided_by) ON polyceph.drift
    TO polyceph_app;
"""


def upgrade() -> None:
    """Make the table, its triggers and the application's rights."""
    op.execute(_TABLE)

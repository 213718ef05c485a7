"""Which readings of the lakes' outbox the journal holds: written with the event of each, so that none stands in it twice or never."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE polyceph.reading_seen (
    id bigint NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id, at)
);
CREATE CONSTRAINT TRIGGER reading_seen_needs_event AFTER INSERT OR UPDATE OR DELETE ON polyceph.reading_seen
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION polyceph.require_event();
ALTER TABLE polyceph.reading_seen ENABLE ALWAYS TRIGGER reading_seen_needs_event;
CREATE TRIGGER reading_seen_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON polyceph.reading_seen
    FOR EACH STATEMENT EXECUTE FUNCTION polyceph.keep_for_ever();
ALTER TABLE polyceph.reading_seen ENABLE ALWAYS TRIGGER reading_seen_is_kept;
GRANT SELECT, INSERT (id, at) ON polyceph.reading_seen TO polyceph_app;
"""


def upgrade() -> None:
    """Make the table, its triggers and the application's rights."""
    op.execute(_TABLE)

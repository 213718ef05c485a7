"""Emergency access: who may look into which domain until when, opened by whom and why; ended once, kept for ever."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE polyceph.emergency (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain text NOT NULL REFERENCES polyceph.domain (name),
    person text NOT NULL,
    reason text NOT NULL,
    opened_by text NOT NULL,
    opened_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    ended_at timestamptz,
    closed_by text,
    CONSTRAINT emergency_is_short CHECK (until > opened_at AND until <= opened_at + interval '24 hours'),
    CONSTRAINT emergency_is_closed_at_a_time CHECK (closed_by IS NULL OR ended_at IS NOT NULL),
    CONSTRAINT emergency_never_outlasts_its_time CHECK (ended_at <= until)
);
CREATE UNIQUE INDEX emergency_is_one ON polyceph.emergency (person, domain) WHERE (ended_at IS NULL);
CREATE FUNCTION polyceph.end_emergency_once() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'emergency % has ended and stays so', OLD.number USING ERRCODE = 'PC002';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER emergency_ends_once BEFORE UPDATE ON polyceph.emergency
    FOR EACH ROW EXECUTE FUNCTION polyceph.end_emergency_once();
ALTER TABLE polyceph.emergency ENABLE ALWAYS TRIGGER emergency_ends_once;
CREATE CONSTRAINT TRIGGER emergency_needs_event AFTER INSERT OR UPDATE OR DELETE ON polyceph.emergency
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION polyceph.require_event();
ALTER TABLE polyceph.emergency ENABLE ALWAYS TRIGGER emergency_needs_event;
CREATE TRIGGER emergency_is_kept BEFORE DELETE OR TRUNCATE ON polyceph.emergency
    FOR EACH STATEMENT EXECUTE FUNCTION polyceph.keep_for_ever();
ALTER TABLE polyceph.emergency ENABLE ALWAYS TRIGGER emergency_is_kept;
GRANT SELECT, INSERT (domain, person, reason, opened_by, opened_at, until), UPDATE (ended_at, closed_by) ON polyceph.emergency
    TO polyceph_app;
"""


def upgrade() -> None:
    """Make the table, its triggers and the application's rights."""
    op.execute(_TABLE)

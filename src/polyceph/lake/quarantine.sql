-- Deliveries that wait for their data owner: domains' processes say them, the platform decides. Made once.

CREATE TABLE polyceph_evidence.drift (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    role text NOT NULL DEFAULT session_user,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    body jsonb NOT NULL,
    state text NOT NULL DEFAULT 'waiting',
    dataset text GENERATED ALWAYS AS (body ->> 'dataset') STORED,
    digest text GENERATED ALWAYS AS (body ->> 'digest') STORED,
    content text GENERATED ALWAYS AS (body ->> 'content') STORED,
    CONSTRAINT drift_is_short CHECK (pg_column_size(body) <= 1048576),
    CONSTRAINT drift_state_is_known CHECK (state IN ('waiting', 'accepted', 'mapped', 'refused', 'unreadable'))
);
COMMENT ON TABLE polyceph_evidence.drift IS 'One row per delivery whose form drifts, as the process that saw it says, and what was decided.';

-- The same delivery seen again by every run waits once.
CREATE UNIQUE INDEX drift_waits_once ON polyceph_evidence.drift (role, dataset, digest, content) WHERE state = 'waiting';
CREATE INDEX drift_by_dataset ON polyceph_evidence.drift (role, dataset);

-- A domain sees its own rows alone; the view reads as its owner, the session stays the domain's.
CREATE VIEW polyceph_evidence.own_drift WITH (security_barrier) AS
    SELECT id, dataset, digest, content, state, body -> 'originals' AS originals FROM polyceph_evidence.drift WHERE role = session_user;

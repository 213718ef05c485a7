-- The outbox of readings: what domains' processes read, until the platform has written it into its journal. Made once.

CREATE SCHEMA polyceph_evidence;

CREATE TABLE polyceph_evidence.reading (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    role text NOT NULL DEFAULT session_user,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    body jsonb NOT NULL,
    CONSTRAINT reading_is_short CHECK (pg_column_size(body) <= 1048576)
);
COMMENT ON TABLE polyceph_evidence.reading IS 'One row per dataset read, as the process that read it says.';

-- A queue and not a cursor: a cursor on the number misses for ever what is committed late, and one on the transaction what is written
-- after the database was restored elsewhere, where transactions are counted anew.
CREATE TABLE polyceph_evidence.waiting (id bigint PRIMARY KEY);
COMMENT ON TABLE polyceph_evidence.waiting IS 'Which rows of reading the journal may not hold yet.';

CREATE FUNCTION polyceph_evidence.let_wait() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $wait$
BEGIN
    INSERT INTO polyceph_evidence.waiting (id) VALUES (NEW.id);
    RETURN NULL;
END
$wait$;

CREATE FUNCTION polyceph_evidence.keep_for_ever() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $keep$
BEGIN
    RAISE EXCEPTION 'table % keeps every row: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$keep$;

CREATE TRIGGER reading_waits AFTER INSERT ON polyceph_evidence.reading
    FOR EACH ROW EXECUTE FUNCTION polyceph_evidence.let_wait();
ALTER TABLE polyceph_evidence.reading ENABLE ALWAYS TRIGGER reading_waits;

CREATE TRIGGER reading_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON polyceph_evidence.reading
    FOR EACH STATEMENT EXECUTE FUNCTION polyceph_evidence.keep_for_ever();
ALTER TABLE polyceph_evidence.reading ENABLE ALWAYS TRIGGER reading_is_kept;

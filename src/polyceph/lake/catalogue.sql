-- What polyceph adds to a DuckLake catalogue: the stamp, the register of loads, the limits of readers. Every statement may run again.
-- {schema} is the metadata schema, {owner} the domain's role, {reader} the role that all consumers of this lake are members of.

CREATE TABLE IF NOT EXISTS {schema}.polyceph_load (
    dataset text NOT NULL,
    key text NOT NULL,
    cursor text,
    origin text,
    snapshot_id bigint NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (dataset, key)
);
DO $form$
BEGIN
    -- Asked before: altering a table waits for whoever has it open.
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = '{schema}.polyceph_load'::regclass AND attname = 'form') THEN
        ALTER TABLE {schema}.polyceph_load ADD COLUMN form jsonb;
    END IF;
END
$form$;
COMMENT ON TABLE {schema}.polyceph_load IS
    'One row per committed load, written by the trigger in the transaction of its snapshot: no load is committed twice.';

CREATE TABLE IF NOT EXISTS {schema}.polyceph_declared (
    role text NOT NULL,
    zone text NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (role, zone, name)
);
COMMENT ON TABLE {schema}.polyceph_declared IS 'Which datasets of this lake which consumer role may read.';

CREATE OR REPLACE FUNCTION {schema}.polyceph_stamp() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $stamp$
DECLARE
    stamp jsonb := nullif(current_setting('polyceph.stamp', true), '')::jsonb;
    extra jsonb;
BEGIN
    NEW.author := coalesce(nullif(NEW.author, ''), stamp ->> 'author');
    NEW.commit_message := coalesce(nullif(NEW.commit_message, ''), stamp ->> 'message');
    IF NEW.author IS NULL OR NEW.commit_message IS NULL THEN
        RAISE EXCEPTION 'polyceph refuses a change of the lake without author and message'
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'commit through polyceph, or run under the environment that stamp_environment returns';
    END IF;
    extra := coalesce(nullif(NEW.commit_extra_info, '')::jsonb, stamp -> 'extra', '{{}}'::jsonb);
    NEW.commit_extra_info := (extra || jsonb_build_object('role', session_user))::text;
    IF extra ? 'load' THEN
        INSERT INTO {schema}.polyceph_load (dataset, key, cursor, origin, form, snapshot_id)
        VALUES (extra #>> '{{load,dataset}}', extra #>> '{{load,key}}', extra #>> '{{load,cursor}}', extra #>> '{{load,origin}}',
                nullif(extra #> '{{load,form}}', 'null'), NEW.snapshot_id)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            -- DuckLake tries again when it reads words such as duplicate key in a message; this must end the commit.
            RAISE EXCEPTION 'polyceph: this load is already in the lake' USING ERRCODE = 'insufficient_privilege';
        END IF;
        NEW.commit_extra_info := (NEW.commit_extra_info::jsonb #- '{{load,form}}')::text;
    END IF;
    RETURN NEW;
END
$stamp$;

CREATE OR REPLACE TRIGGER polyceph_stamp BEFORE INSERT ON {schema}.ducklake_snapshot_changes
    FOR EACH ROW EXECUTE FUNCTION {schema}.polyceph_stamp();

-- The first snapshot is made before the trigger can be.
UPDATE {schema}.ducklake_snapshot_changes
SET author = 'polyceph', commit_message = 'Create the catalogue', commit_extra_info = jsonb_build_object('role', session_user)::text
WHERE author IS NULL AND snapshot_id = 0;

-- A table belongs to a reader while its current name is declared to the reader's role; a dropped one keeps its last names for time travel.
CREATE OR REPLACE FUNCTION {schema}.polyceph_visible() RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $visible$
    SELECT t.table_id
    FROM {schema}.ducklake_table t
    JOIN {schema}.ducklake_schema s ON s.schema_id = t.schema_id
    JOIN {schema}.polyceph_declared d ON d.role = session_user AND d.zone = s.schema_name AND d.name = t.table_name
    WHERE t.end_snapshot IS NULL
       OR NOT EXISTS (SELECT FROM {schema}.ducklake_table n WHERE n.table_id = t.table_id AND n.end_snapshot IS NULL)
$visible$;

-- The domain's role works with every table of DuckLake, but cannot alter one, nor a stamp, nor the register of loads.
GRANT USAGE, CREATE ON SCHEMA {schema} TO {owner};
GRANT USAGE ON SCHEMA {schema} TO {reader};
GRANT SELECT ON {schema}.polyceph_load TO {owner};
GRANT EXECUTE ON FUNCTION {schema}.polyceph_visible() TO {reader};

"""What lets a PostgreSQL server speak for Denodo where no Denodo server is: the stored procedures that its manual describes."""

from __future__ import annotations

PROCEDURES = """
CREATE VIEW kinds AS SELECT table_schema::text AS database_name, table_name::text AS view_name, column_name::text,
 CASE data_type WHEN 'integer' THEN 'int' WHEN 'bigint' THEN 'long' WHEN 'numeric' THEN 'decimal' WHEN 'date' THEN 'localdate'
 WHEN 'timestamp without time zone' THEN 'timestamp' WHEN 'timestamp with time zone' THEN 'timestamptz'
 WHEN 'double precision' THEN 'double'
 WHEN 'boolean' THEN 'boolean' WHEN 'time without time zone' THEN 'time' ELSE 'text' END AS column_vdp_type,
 table_schema::text AS input_database_name, table_name::text AS input_view_name
 FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'public') ORDER BY ordinal_position;
CREATE FUNCTION get_view_columns() RETURNS SETOF kinds LANGUAGE sql AS 'SELECT * FROM kinds';
CREATE FUNCTION get_views() RETURNS TABLE (database_name text, name text, description text) LANGUAGE sql
 AS 'SELECT DISTINCT database_name, view_name, ''A view'' FROM kinds';
"""

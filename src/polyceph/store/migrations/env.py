"""What Alembic runs for each command; the connection is handed over by `store.migrate`, there is no other way in."""

from __future__ import annotations

from alembic import context

from polyceph.store.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()

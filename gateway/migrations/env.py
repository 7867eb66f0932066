"""Alembic's environment: it runs on the connection that `Database.migrate` passes."""

from alembic import context

from gateway.migrations import VERSION_TABLE

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table=VERSION_TABLE, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()

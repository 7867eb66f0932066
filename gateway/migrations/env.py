"""Alembic's environment: it runs on the connection that `Database.migrate` passes."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table="gateway_alembic_version", render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()

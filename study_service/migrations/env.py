"""Alembic's environment: it runs on the connection that `Database.migrate` gives it."""

from alembic import context

from study_service.destinations import tables as _destinations  # noqa: F401  as below
from study_service.tables import Base
from study_service.webhooks import tables as _webhooks  # noqa: F401  its tables belong to Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()

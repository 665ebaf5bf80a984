"""What alembic runs: migrations on the connection that `gateway.migrations.upgrade` opened."""

from __future__ import annotations

from alembic import context

from gateway.migrations.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=False)
context.run_migrations()

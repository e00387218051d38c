"""Alembic's entry: run the migrations on the connection that `automl.storage.database` hands over."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], version_table="automl_version", transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()

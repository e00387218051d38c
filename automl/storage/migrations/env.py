"""Alembic's entry: run the migrations on the connection that `automl.storage.database` hands over.

It is in a transaction already, and Alembic leaves such a one alone: the caller commits, once.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], version_table="automl_version", transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()

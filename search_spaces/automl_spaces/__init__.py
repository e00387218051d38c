"""Search spaces that ship with automl: one module per space, named as the user types it."""

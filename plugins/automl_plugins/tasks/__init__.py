"""Tasks: data, loss and metric, one module per task, named as the user types it."""

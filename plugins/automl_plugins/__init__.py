"""Strategies, evaluators, tasks, executors and trackers that ship with automl, registered as any plugin's are."""

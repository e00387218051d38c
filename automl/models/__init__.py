"""Trained networks on disk: what `automl retrain` makes, and what exports and reports read."""

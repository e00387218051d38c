"""Evaluators that ship with automl: one module per evaluator."""

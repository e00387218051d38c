"""Bundled aggregators."""

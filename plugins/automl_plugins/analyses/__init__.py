"""Bundled analyses."""

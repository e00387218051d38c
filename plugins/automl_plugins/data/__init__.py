"""Bundled data sources, and the converters of official public files."""

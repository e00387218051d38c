"""Bundled proxies."""

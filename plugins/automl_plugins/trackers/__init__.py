"""Bundled trackers: components that watch a study and never slow it."""

"""A study as one file that can be replayed elsewhere."""

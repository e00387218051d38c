"""The SQL store: the truth about every study."""

"""How long a network takes, what it holds in memory, and a table of what its layers take."""

"""Building blocks of networks, shared by the search spaces."""

"""Kolmogorov-Arnold networks: layers whose every edge is a learnt function of one variable."""

"""Checking plugins: what is wrong with one, in words, found by reading it and by running the conformance suites."""

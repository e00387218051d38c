"""Comparing strategies on one problem: curves of runs, tests over seeds, pictures. Pure functions of finished runs."""

"""Trained networks as files for elsewhere: written by exporters, verified in a fresh process, described by a card."""

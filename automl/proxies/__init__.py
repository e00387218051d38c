"""Scoring networks without training them: the contract of a proxy, and the passes that proxies share."""

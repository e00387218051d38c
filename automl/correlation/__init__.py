"""Correlations: how well cheap scores rank architectures, against a metric that is dear."""

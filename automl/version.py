"""The version of the distribution `automl-engine`, written down once."""

__version__ = "0.1.0"

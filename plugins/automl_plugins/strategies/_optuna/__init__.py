"""How Optuna's samplers become strategies: one adapter, its storage and encodings."""

"""What the model-based strategies share: histories, encodings, models and acquisition functions."""

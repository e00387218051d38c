"""What the evaluators of benchmark tables share."""

"""What may keep the program from working here, as a list of findings."""

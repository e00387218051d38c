"""From a traced network to readable source that needs torch alone."""

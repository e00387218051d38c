"""Reports: one page of HTML about studies, comparisons and correlations."""

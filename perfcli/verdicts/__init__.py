"""SLO expressions, the comparison of two results, and the search for capacity."""

"""Many at once, newest or most urgent first: found by a query, by words, in an inbox, counted."""

"""Records, and what has to be done with them by when."""

"""Who hears of it, and who has to do something about it."""

"""Letters: as they came, as messages of a thread, as what leaves; and the index of their words."""

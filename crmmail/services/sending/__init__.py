"""A letter leaves: planned, put into the outbox, sent."""

"""Somebody does something to a record, and may take it back."""

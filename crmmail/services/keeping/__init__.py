"""Keeping house: people, sections, the store itself, and what is wrong with it."""

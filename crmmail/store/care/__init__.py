"""The store itself: is it sound, is it well, a copy of it."""

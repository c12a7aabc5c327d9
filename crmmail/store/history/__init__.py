"""Who did what, and how it is taken back."""

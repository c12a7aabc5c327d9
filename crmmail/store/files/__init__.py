"""Small files beside the store: what must be known where the store cannot be written."""

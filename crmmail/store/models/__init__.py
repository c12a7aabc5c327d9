"""The tables, by what they are about; `all` lists them, and `store.tables` is the door to it."""

"""The tables, by what they are about; `store.tables` lists them all."""

"""The ground floor: plain values and plain functions.  Standard library only; no clock, no store, no settings
but what is handed in."""

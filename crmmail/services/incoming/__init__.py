"""A letter comes in: judged, filed, held, or taken for a bounce."""

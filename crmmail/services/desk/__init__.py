"""What somebody has before him: his inbox, records, lists, numbers."""

"""The paths through the house: one file a path.  Only here are transactions opened, and nothing goes out inside one."""

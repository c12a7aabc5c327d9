"""What acts by itself: rules, the programs they run, the templates they write with."""

"""Something happens by itself: rules, their mails, hooks."""

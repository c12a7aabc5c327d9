"""Who there is: users, contacts, sections, the addresses of ours, and who follows what."""

"""What several paths share: fields, rights, dry runs, who is on leave."""

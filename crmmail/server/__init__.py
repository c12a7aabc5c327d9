"""Doors that stay open: servers of our own, each in a thread, on loopback.  Only this room knows aiosmtpd."""

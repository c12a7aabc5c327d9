"""Doors that stay open: `crmmail serve`, and the demo's mail server (`sink`).  Only this room knows aiosmtpd."""

"""crmmail: a mail-driven CRM in the terminal.

The map of the house (docs/architecture.md has the picture):

    mda.py        the door for fetchmail and MTAs: a mail on stdin, 0 or 75 out
    cli/          the door for people: commands, tables, colours
    services/     one file a path through the house: deliver, inbox, act, undo …
    workspace.py  opens what a path needs (settings, store, clock) and closes it
    store/        SQLite through peewee: tables in, plain values out
    mail/         MIME in and out: bytes become core.message.Mail
    config.py     the settings, one table
    core/         plain values and plain functions: it decides, it does nothing
    errors.py     every error we speak
"""

__version__ = "0.1.0"

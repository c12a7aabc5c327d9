"""The room that knows peewee.  Values go in, values come out; nobody above sees a row."""

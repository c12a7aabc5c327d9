"""The tables, all of them.  `docs/schema.md` is generated from here; `migrations/` makes them.

A thread is what every record has exactly one of, and a record's key *is* its thread's: one number space (house.md).
Test for a column of `Thread`: would a contact's thread need it?  Message, Attachment and Follower hang on the
thread; Notification and Star belong to (message, user), never to the message.  All names begin with `crm_`, because
`case` and `user` are reserved words.
"""

from __future__ import annotations

# This page is only a door: it reads peewee and the tables (`models.all`) when somebody first asks it for one, for
# `t.Message` or peewee's own `t.fn`.  A delivery asks for none, since it speaks SQL (`sql`): a third of its time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from crmmail.store.models.all import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        from crmmail.store.models import all as models

        if name.startswith("__") or not hasattr(models, name):
            raise AttributeError(f"there is no table {name}")
        globals()[name] = getattr(models, name)
        return globals()[name]

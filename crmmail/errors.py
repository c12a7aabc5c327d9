"""Every error we speak: its sentence, whose fault it is, whether to try again, and the exit codes.

A sentence says what happened, why, and what to do, in one line.  The doors translate in one place each: `cli.main`
prints ``crmmail: <sentence>`` and exits with `exit_code`; `mda` answers 75 to everything that reaches it, because a
mail that is not in the store must stay with fetchmail.
"""


class CrmmailError(Exception):
    """Something a person can understand and mend.  str() is the whole sentence."""

    exit_code = 1
    retry = False  # would the very same call succeed later without anybody doing anything?


# --- the caller's fault -------------------------------------------------------------------------------------


class UsageError(CrmmailError):
    """The command line itself is wrong."""

    exit_code = 2


class NotFound(CrmmailError):
    """No such record, user, section, message …"""


class Refused(CrmmailError):
    """What was asked is not possible in the present state; the sentence lists what is."""


class NotAllowed(CrmmailError):
    """The acting user may not do this."""


class Taken(CrmmailError):
    """A name or address belongs to somebody already; the sentence names the owner."""


class Changed(CrmmailError):
    """Somebody changed it since; nothing was overwritten."""


# --- the shop's fault ---------------------------------------------------------------------------------------


class ConfigBroken(CrmmailError):
    """A setting that cannot be read or understood."""


class StoreMissing(CrmmailError):
    """There is no store at the place we were told."""


class StoreBehind(CrmmailError):
    """The store's schema is not the one this program knows (`crmmail db migrate`)."""


class StoreBroken(CrmmailError):
    """The database said something we cannot work with: corrupt, read-only, disk full."""

    retry = True


class DriverMissing(StoreBroken):
    """What speaks to this kind of database is not installed."""


class StoreDamaged(StoreBroken):
    """The file is no database any more, or part of it is not what was written: a backup has to be restored."""


class StoreBusy(CrmmailError):
    """Somebody held the store's lock for longer than the time-out."""

    retry = True


class StoreContended(StoreBusy):
    """What was done cannot be fitted in with what others did at the same moment; it was taken back."""


# --- the mail's fault, or nobody's --------------------------------------------------------------------------


class EmptyMail(CrmmailError):
    """Nothing came on stdin: fetchmail was stopped between starting us and writing.  It will come again."""

    retry = True


class OutOfMemory(CrmmailError):
    """There is not memory enough to judge it now.  It comes again, and counts as cut off."""

    retry = True


class OverLimit(CrmmailError):
    """A mail beyond a limit of `mail.limits`; it is kept whole in quarantine.  `reason` is the short code."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason

"""The files of ours that lie beside the store: what they are called, and whose they are.

The names are the store's with an ending (of a link, that of the file it leads to), so they move with it and are found
without a setting.  What belongs to a
database on a server lies in the state folder of whoever works with it, once on each host.
"""

from __future__ import annotations

import os
import stat

from crmmail.core import url as urls


def failing(place: str) -> str:
    """The mark that deliveries into a store fail (`store.files.failing`)."""
    return _name(place) + ".failing"


def attempts(place: str) -> str:
    """The folder of deliveries that were cut off (`store.files.attempts`)."""
    return _name(place) + ".attempts"


def migrate(place: str) -> str:
    """What whoever migrates a store holds locked (`store.schema`)."""
    return _name(place) + ".migrate"


def tick(place: str) -> str:
    """The file whose time says when `crmmail tick` last ran (`services.keeping.upkeep`)."""
    return _name(place) + ".tick"


def serve(place: str) -> str:
    """The socket of `crmmail serve`, to which `crmmail-mda` hands its mail."""
    return _name(place) + ".serve"


def lmtp(place: str) -> str:
    """Its socket for mail servers, where no other address is set."""
    return _name(place) + ".lmtp"


def served(place: str) -> str:
    """What a running `crmmail serve` holds locked; who it is stands in it (`store.files.serving`)."""
    return _name(place) + ".served"


def _name(place: str) -> str:
    """What their names begin with."""
    if not urls.is_url(place):
        # By whatever link it was named, its files are the same.  A link among its folders may stay: what lies beside
        # it is one file by either way, and the path of a socket must be short.
        return os.path.realpath(place) if os.path.islink(place) else place
    folder = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(folder):
        folder = os.path.join(os.path.expanduser("~"), ".local/state")
    folder = os.path.join(folder, "crmmail")
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
    except OSError:
        pass  # whoever writes there finds out, and says it
    return os.path.join(folder, urls.file_name(place))


def every(place: str) -> list[str]:
    """All of them, whether or not they are there."""
    return [name(place) for name in (migrate, failing, tick, attempts, serve, lmtp, served)]


def fit(file: int, place: str) -> None:
    """Gives an open file of ours the mode of its store, whatever the umask: whoever may use the one may the other.

    Its owner always may: a store that nobody can open is what a mark beside it tells of.
    """
    try:
        wanted = stat.S_IMODE(os.stat(place).st_mode) & 0o660 | 0o600
        if stat.S_IMODE(os.fstat(file).st_mode) != wanted:
            os.fchmod(file, wanted)
    except OSError:
        pass

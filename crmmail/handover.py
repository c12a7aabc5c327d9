"""The first half of the door: reads the mail, and hands it to `crmmail serve` where one is running.

The server answers 0 once the mail is committed.  Where there is none, and on any trouble with it, `crmmail.mda`
delivers the mail as if there never had been one: nothing is lost by that, and what both of them took is a duplicate.

    request   crmmail-mda 1 <bytes of the fields> <bytes of the mail>\\n  fields  mail
    fields    each ended by \\0: the number of words on the command line, these words, then NAME=value of the variables
              that bear on a delivery (CRMMAIL_*, XDG_*, HOME)
    answer    0 <bytes>\\n  and as many bytes for standard error; anything else means: not taken, do it yourself

With a server, this file is all that a mail loads.  So it imports nothing that Python does not bring along, and uses
the C modules below `signal` and `socket`: these two cost 0.5 and 0.9 x `python -c pass`, `_signal` and `_socket` less
than 0.05.
"""

import _signal as signal  # type: ignore[import-not-found]
import os
import time

SILENCE = 120  # seconds without one more byte on standard input after which the pipe counts as dead
MOST = 1 << 20  # bytes of a mail that is handed over; a larger one would keep the server from the others
# Seconds for the server's answer: longer than it waits for the store's lock (30), and the rest of the 120 that one
# delivery has is enough to do it here.
PATIENCE = 40
LONGEST_ANSWER = 1 << 16  # bytes

# What may stand on the command line, and whether a value follows.
FLAGS = {
    **dict.fromkeys(("-u", "-p", "-s", "-e", "-m", "-d"), True),
    **dict.fromkeys(("--sender", "--recipient", "--section", "--mailbox", "--db", "--config"), True),
    **dict.fromkeys(("-v", "--verbose", "--no-keep-original"), False),
}


class Beginning:
    """What was read of standard input: all of it, or its first megabyte."""

    __slots__ = ("ended", "mail", "when")

    def __init__(self, mail: bytes, ended: bool, when: float) -> None:
        self.mail = mail
        self.ended = ended
        self.when = when  # by time.monotonic()


def begin() -> Beginning:
    """Reads standard input, as far as may be handed over."""
    await_input()
    pieces, size, ended = [], 0, False
    while size <= MOST and not ended:
        piece = read_some(1 << 16)  # what a pipe holds
        pieces.append(piece)
        size += len(piece)
        ended = not piece
    return Beginning(b"".join(pieces), ended, time.monotonic())


def await_input() -> None:
    """A pipe that stays open and silent kills us, which both MTAs take for "later"."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # whatever our caller made of it, for him or for himself
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])


def read_some(most: int) -> bytes:
    """The next bytes of standard input; b"" at its end."""
    signal.alarm(SILENCE)
    piece = os.read(0, most)
    signal.alarm(0)
    return piece


def taken(words: list[str], came: Beginning) -> bool:
    """Did a server take this mail?  Then it is committed, and what -v wants to know is said."""
    if not came.mail or not came.ended or len(came.mail) > MOST:
        return False
    try:
        said = options(words)
        place = store(said, dict(os.environ))
        path = socket_of(place) if place else ""
        if not path or not may_be_trusted(path, place):
            return False
        lines = ask(path, request(spelt_out(said), came.mail), came.when + PATIENCE)
    except Exception:  # no server, a dead one, nobody of ours, a bug: we can do it ourselves
        return False
    if lines is None:
        return False
    for line in lines.decode("utf-8", "replace").splitlines():
        say(line)
    return True


# --- which server ---------------------------------------------------------------------------------------------------


def options(words: list[str]) -> dict[str, str]:
    """The command line, flag → value ("" where it has none), the last where one stands twice.

    As getopt reads it: glued or apart, long names may be cut.  `getopt` itself imports gettext and `re`, which cost
    0.8 x `python -c pass`.

    Raises:
        ValueError: it cannot be; the text says why, and what to do.
    """
    said: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            flag, glued, value = word.partition("=")
            flag = _in_full(flag)
            if glued and not FLAGS[flag]:
                raise ValueError(f"option {flag} must not have an argument{MEND}")
            said[flag] = value if glued or not FLAGS[flag] else _next(flag, rest)
            continue
        letters = word[1:]
        while letters:
            flag, letters = f"-{letters[0]}", letters[1:]
            if flag not in FLAGS:
                raise ValueError(f"option {flag} not recognized{MEND}")
            if FLAGS[flag]:
                said[flag], letters = letters or _next(flag, rest), ""
            else:
                said[flag] = ""
    if rest:
        raise ValueError(f"unexpected word {rest[0]!r}: write --recipient=%T in one word")
    return said


MEND = ": mend the mda line (crmmail-mda --sender=%F --recipient=%T)"


def _in_full(flag: str) -> str:
    """The long name that was meant: `--rec` is `--recipient`."""
    if flag in FLAGS:
        return flag
    meant = [name for name in FLAGS if name.startswith(flag)] if len(flag) > 2 else []
    if len(meant) != 1:
        raise ValueError(f"option {flag} {'not a unique prefix' if meant else 'not recognized'}{MEND}")
    return meant[0]


def _next(flag: str, rest: list[str]) -> str:
    if not rest:
        raise ValueError(f"option {flag} requires argument{MEND}")
    return rest.pop(0)


def store(said: dict[str, str], environ: dict[str, str]) -> str:
    """The place of the store, as `store.engine.place` has it; "" where only the whole program can tell.

    A wrong guess costs nothing: the server compares these settings with its own before it takes a mail.
    """
    named = said.get("-d") or said.get("--db") or environ.get("CRMMAIL_DB")
    if not named:
        file = said.get("--config") or environ.get("CRMMAIL_CONFIG")
        usual = _base(environ, "XDG_CONFIG_HOME", ".config") + "/crmmail/config.toml"
        if file or os.path.exists(usual):
            named = named_in(file or usual)
            if named is None:
                return ""
        named = named or _base(environ, "XDG_DATA_HOME", ".local/share") + "/crmmail/crmmail.db"
    if _is_url(named):
        from crmmail.core import url  # which a store in a file has no use for

        return url.without_password(named)
    return _file(named)


def _is_url(named: str) -> bool:
    return "://" in named and not named.startswith("sqlite:")


def _file(named: str) -> str:
    """The whole path of a store that lies in a file."""
    return os.path.abspath(os.path.expanduser(named.removeprefix("sqlite:").removeprefix("//")))


def _base(environ: dict[str, str], variable: str, below_home: str) -> str:
    """A base folder of the XDG specification; relative values count as unset, as it says."""
    value = environ.get(variable, "")
    return value if os.path.isabs(value) else os.path.join(os.path.expanduser("~"), below_home)


def named_in(path: str) -> str | None:
    """The store that a configuration file names; "" where it names none, None where only a TOML parser can tell.

    `db` stands above all tables and is one line in quotes, else the whole program reads it: `tomllib` costs 1.8 x
    `python -c pass`.
    """
    with open(path, "rb") as file:
        lines = file.read().decode().splitlines()
    for line in map(str.strip, lines):
        if line.startswith("["):
            break
        if line and not line.startswith("#"):
            key, _, value = map(str.strip, line.partition("="))
            quote, words = value[:1], value[1:-1]
            if key != "db" or quote not in ("'", '"') or value != quote + words + quote or set(words) & {quote, "\\"}:
                return None
            return words
    return ""


def socket_of(place: str) -> str:
    """Where the server of a store listens; `store.files.beside.serve` says the same."""
    if "://" not in place:
        return (os.path.realpath(place) if os.path.islink(place) else place) + ".serve"
    from crmmail.core import url

    return f"{_base(dict(os.environ), 'XDG_STATE_HOME', '.local/state')}/crmmail/{url.file_name(place)}.serve"


def may_be_trusted(path: str, place: str) -> bool:
    """Does the socket belong to root, to us or to the owner of the store's file?

    Where everybody may make files, as in /tmp, anybody could lie in wait there for mail.
    """
    owner = os.getuid() if "://" in place else os.stat(place).st_uid
    return os.lstat(path).st_uid in (0, os.getuid(), owner)


# --- the talk -------------------------------------------------------------------------------------------------------


def spelt_out(said: dict[str, str]) -> list[str]:
    """The command line with whole paths: the server stands in another folder, where the same words name other files."""
    words = []
    for flag, value in said.items():
        words += [flag, _whole(flag, value)] if FLAGS[flag] else [flag]
    return words


def _whole(name: str, value: str) -> str:
    """What an option or a variable says, with the whole path of the file it names."""
    if name in ("-d", "--db", "CRMMAIL_DB"):
        return _file(value) if value and not _is_url(value) else value
    if name in ("--config", "CRMMAIL_CONFIG", "CRMMAIL_LOG_FILE", "CRMMAIL_HOOKS_FOLDER"):
        return os.path.abspath(value) if value and value[0] not in "/~" else value
    return value


def request(words: list[str], mail: bytes) -> bytes:
    """All that the server is told."""
    names = [name for name in os.environ if name.startswith(("CRMMAIL_", "XDG_")) or name == "HOME"]
    bearing = [f"{name}={_whole(name, os.environ[name])}" for name in names]
    fields = b"".join(os.fsencode(field) + b"\0" for field in (str(len(words)), *words, *bearing))
    return b"crmmail-mda 1 %d %d\n%b%b" % (len(fields), len(mail), fields, mail)


def ask(path: str, request: bytes, until: float) -> bytes | None:
    """What the server has to say for standard error after it committed the mail; None: it did not take it.

    Raises:
        OSError: nobody listens, or no answer came until then (by time.monotonic()).
    """
    import _socket  # here, because a mail that finds no server has no use for it

    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)

    def receive() -> bytes:
        server.settimeout(max(until - time.monotonic(), 0.01))
        return server.recv(1 << 12)

    try:
        server.settimeout(max(until - time.monotonic(), 0.01))
        server.connect(path)
        server.sendall(request)
        answer = b""
        while b"\n" not in answer:
            piece = receive()
            if not piece:
                return None
            answer += piece
        verdict, _, lines = answer.partition(b"\n")
        status, _, size = verdict.partition(b" ")
        if status != b"0" or not size.isdigit():
            return None
        try:  # from here on the mail is the store's, whatever becomes of what is said about it
            while len(lines) < min(int(size), LONGEST_ANSWER) and (piece := receive()):
                lines += piece
        except OSError:
            pass
        return lines
    finally:
        server.close()


def say(line: str) -> None:
    """One printable line on standard error, whatever is in it, and whether or not somebody listens."""
    try:
        words = "".join(char if char.isprintable() else " " for char in line)[:600]
        os.write(2, (words + "\n").encode("utf-8", "replace"))
    except OSError:
        pass

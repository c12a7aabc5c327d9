"""The URL of a database, as libpq writes it: `postgresql://crm:geheim@db.example.com/crm?sslmode=require`."""

from __future__ import annotations

SCHEMES = ("postgresql", "postgres")
HIDDEN = ("password", "sslpassword")  # libpq's parameters that nobody else may read


def is_url(named: str) -> bool:
    """Is what names a store no path of a file?"""
    return "://" in named and not named.startswith("sqlite:")


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    scheme, _, rest = url.partition("://")
    rest, question, asked = rest.partition("?")
    who, at, where = rest.rpartition("@")
    kept = "&".join(one for one in asked.split("&") if one.partition("=")[0].lower() not in HIDDEN)
    return f"{scheme}://{who.partition(':')[0]}{at}{where}{question if kept else ''}{kept}"


def passwords(url: str) -> set[str]:
    """The passwords in it, as they stand there and as they are meant."""
    if not is_url(url):
        return set()
    from urllib.parse import unquote  # only for what cannot be opened

    rest, _, asked = url.partition("://")[2].partition("?")
    said = [rest.rpartition("@")[0].partition(":")[2]]
    said += [one.partition("=")[2] for one in asked.split("&") if one.partition("=")[0].lower() in HIDDEN]
    return {word for one in said for word in (one, unquote(one)) if word}


def file_name(url: str) -> str:
    """What files about a database are called: its name, and a number made of all of its URL.

    Short, for the path of a Unix socket has room for a hundred letters.
    """
    from binascii import crc32  # a store in a file needs it not

    name = url.partition("?")[0].rpartition("/")[2]
    kept = "".join(char for char in name if char.isascii() and (char.isalnum() or char in "-_"))[:20]
    return f"{kept or 'postgresql'}-{crc32(url.encode('utf-8', 'surrogateescape')):08x}"

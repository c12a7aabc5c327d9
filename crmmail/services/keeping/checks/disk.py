"""The disk below the store: is there room, and does it lock?"""

from __future__ import annotations

import os
from collections.abc import Iterator

from crmmail.services.keeping.checks.finding import Finding, Site, fail, ok, warn
from crmmail.store.engine import place as places

MEGABYTE = 1_000_000
LITTLE = 1_000 * MEGABYTE  # of free room: a shop has some weeks to make more
FEW, VERY_FEW = 1_000, 100  # files that can still be made
MOUNTS = "/proc/self/mountinfo"
NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ncp", "ceph", "lustre", "gluster", "fuse.sshfs", "fuse.gluster", "davfs")


def there_is_room(site: Site) -> Iterator[Finding]:
    """A full disk makes every delivery say 75; so does one on which no more files can be made."""
    folder = os.path.dirname(site.place)
    if places.is_url(site.place) or not os.path.isdir(folder):
        return
    facts = os.statvfs(folder)
    free, files = facts.f_bavail * facts.f_frsize, facts.f_favail
    advice = f"make room on the disk of {folder}"
    if free < 2 * site.config.delivery_max_size:  # the largest mail, and the journal of its transaction
        sentence = f"{free // MEGABYTE} MB are free: the next big mail does not fit, and a full disk stops all"
        yield fail("disk", sentence, advice)
    elif free < LITTLE:
        yield warn("disk", f"only {free // MEGABYTE} MB are free", advice)
    else:
        yield ok("disk", f"{free // (1_000 * MEGABYTE)} GB are free")
    if facts.f_files and files < VERY_FEW:
        yield fail("disk", f"{files} more files can be made (inodes): the store needs a journal", advice)
    elif facts.f_files and files < FEW:
        yield warn("disk", f"only {files} more files can be made (inodes)", advice)


def disk_is_here(site: Site) -> Iterator[Finding]:
    """SQLite's locks, and what "written" means, depend on another machine where the disk does."""
    if places.is_url(site.place):
        return
    try:
        with open(MOUNTS, encoding="utf-8", errors="replace") as file:
            kind = filesystem(os.path.realpath(site.place), file.read())
    except OSError:
        return
    if kind.startswith(NETWORK):
        sentence = f"{site.place} lies on a network file system ({kind}), where locks may not hold"
        yield warn("disk", sentence, "move the store to a disk of this machine, and mount none of its users' from afar")


def filesystem(path: str, mounts: str) -> str:
    """The kind of file system that `path` lies on, of the lines of /proc/self/mountinfo; "" where none fits."""
    found = ("", "")  # mount point, kind
    for line in mounts.splitlines():
        before, dash, behind = line.partition(" - ")
        words = before.split()
        if not dash or len(words) < 5 or not behind.split():
            continue
        point = words[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(found[0]):
            found = (point, behind.split()[0])
    return found[1]

"""Partner categories: paths of words, where `Support contract / Gold` stands under `Support contract`."""

from __future__ import annotations

SEPARATOR = " / "


def parts(path: str) -> list[str]:
    """`Support contract/Gold ` → ["Support contract", "Gold"]."""
    return [" ".join(part.split()) for part in path.split("/") if part.strip()]


def key(path: str) -> str:
    """How a path is compared: letter case and blanks do not matter."""
    return SEPARATOR.join(part.lower() for part in parts(path))


def chain(path: str) -> tuple[str, ...]:
    """The key of a path and of those above it, the nearest first."""
    words = key(path).split(SEPARATOR) if parts(path) else []
    return tuple(SEPARATOR.join(words[:length]) for length in range(len(words), 0, -1))

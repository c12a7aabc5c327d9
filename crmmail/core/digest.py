"""SHA-256 and its HMAC without OpenSSL, whose import (`hashlib`, `hmac`) costs a delivery 0.4 x `python -c pass`.

OpenSSL's SHA-256 is faster on many bytes, so a process that has loaded it anyway uses it.
"""

from __future__ import annotations

import sys
from _operator import _compare_digest

from crmmail.core.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash
    from hashlib import sha256 as _sha256

    Hash = _Hash
else:
    Hash = object
    try:
        from _sha2 import sha256 as _sha256  # Python 3.12 and later
    except ImportError:
        try:
            from _sha256 import sha256 as _sha256
        except ImportError:  # a Python that was built without
            from hashlib import sha256 as _sha256


def sha256(data: bytes = b"") -> Hash:
    """As `hashlib.sha256`."""
    openssl = sys.modules.get("hashlib")
    return (openssl.sha256 if openssl else _sha256)(data)


def hmac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104 §2), as `hmac.digest(key, data, "sha256")`."""
    block = (sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = sha256(block.translate(_INNER) + data).digest()
    return sha256(block.translate(_OUTER) + inner).digest()


_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def same(one: bytes, other: bytes) -> bool:
    """Compared in constant time, as `hmac.compare_digest`, which is this very function of the interpreter's."""
    return _compare_digest(one, other)

"""SHA-256 and HMAC are those of the standard library, without its import."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as some

from crmmail.core import digest, token

ROOT = Path(__file__).parents[2]


@given(some.binary(max_size=300), some.binary(max_size=200))
def test_as_the_standard_library(data: bytes, key: bytes) -> None:
    assert digest.sha256(data).digest() == digest._sha256(data).digest() == hashlib.sha256(data).digest()
    assert digest.hmac(key, data) == hmac.digest(key, data, "sha256")
    assert digest.same(data, bytes(data)) and digest.same(data, key) is (data == key)


@given(some.binary(min_size=1, max_size=100), some.lists(some.text(max_size=20), max_size=3))
def test_mac_is_base32(secret: bytes, words: list[str]) -> None:
    mac = hmac.digest(secret, "\0".join(words).encode("utf-8", "surrogatepass"), "sha256")
    assert token.sign(secret, *words) == base64.b32encode(mac[:10]).decode().lower()


def test_openssl_is_used_where_it_is_loaded_and_not_loaded_where_it_is_not() -> None:
    program = (
        "import sys\nfrom crmmail.core.digest import sha256\nfirst = sha256(b'x')\n"
        "assert '_hashlib' not in sys.modules\nimport hashlib\nsecond = sha256(b'x')\n"
        "assert type(second) is type(hashlib.sha256())\n"
        "print(first.hexdigest() == second.hexdigest())"
    )
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout == "True\n", done.stderr

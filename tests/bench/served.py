"""A `crmmail serve` for the benches, from its start to its end.

with Served(bin, env) as server:
    server.lmtp                     # its LMTP socket; crmmail-mda finds the other one by itself
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pairs

PATIENCE = 20  # seconds that it may take to start, and to end


class Served:
    """One server for the store that the environment names."""

    def __init__(self, bin: Path, env: Mapping[str, str]) -> None:
        self.lmtp = Path(env["CRMMAIL_DB"]).with_name("lmtp")
        self.socket = Path(env["CRMMAIL_DB"] + ".serve")
        self._command, self._env = [str(bin / "crmmail"), "serve", "--lmtp", f"unix:{self.lmtp}"], env

    def __enter__(self) -> Served:
        null = subprocess.DEVNULL
        self._process = subprocess.Popen(
            self._command, env=self._env, stdin=null, stdout=null, stderr=null, start_new_session=True
        )
        end = time.monotonic() + PATIENCE
        while not all(_answers(one) for one in (self.lmtp, self.socket)):
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                sys.exit(f"{' '.join(self._command)} did not start")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """Ends it, and waits until what it took is committed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE)

    def __exit__(self, *_: object) -> None:
        self.stop()

    def processor_time(self) -> float:
        """Seconds so far, with those of its helpers."""
        return pairs.processor_time(self._process.pid)

    def peak(self) -> float:
        """MiB that it and its helpers held at most so far; Linux tells."""
        peaks = 0
        for process in pairs.family(self._process.pid):
            status = Path(f"/proc/{process}/status").read_text()
            peaks += int(status.partition("VmHWM:")[2].split()[0])
        return peaks / 2**10


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def has_serve(bin: Path) -> bool:
    """Does this crmmail have the command?"""
    return subprocess.run([bin / "crmmail", "serve", "--help"], capture_output=True).returncode == 0

"""How large this process is, and a script that runs once more to be measured by itself."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

MIB = 2**20


def resident() -> int:
    """Bytes of memory that this process has now; where the system does not say so, the most that it has had."""
    return _status("VmRSS")


def peak() -> int:
    """The most that it has had."""
    return _status("VmHWM")


def _status(field: str) -> int:
    # ru_maxrss comes second: on Linux it is handed down from the process that started this one.
    with suppress(OSError):
        if found := re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE):
            return int(found[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def by_itself(script: str, *arguments: str, seconds: float) -> list[float] | None:
    """The numbers that ``script`` prints in a process of its own; None if it is not done by then."""
    command = [sys.executable, *(f"-W{option}" for option in sys.warnoptions), script, *arguments]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=seconds, check=True)
    except subprocess.TimeoutExpired:
        return None
    return [float(number) for number in done.stdout.split()]

"""Wall time, processor time and peak resident memory of a piece of work, on Linux."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # see proc_pid_clear_refs(5)


@dataclass(frozen=True, slots=True)
class Measured:
    """One piece of work: seconds, those of all processors, and bytes at the start and the most."""

    name: str
    seconds: float
    processor_seconds: float
    memory_before: int
    memory_peak: int


@dataclass(slots=True)
class Stopwatch:
    """Measure pieces of work one after the other."""

    measured: list[Measured] = field(default_factory=list)

    def run(self, name: str, work: Callable[[], T]) -> T:
        """Do a piece of work and note what it took."""
        reset_peak()
        before = memory("VmRSS")
        begin, processor_begin = time.perf_counter(), time.process_time()
        result = work()
        seconds = time.perf_counter() - begin
        processor = time.process_time() - processor_begin
        self.measured.append(Measured(name, seconds, processor, before, memory("VmHWM")))
        return result

    def run_program(self, name: str, module: str, arguments: Sequence[str]) -> None:
        """Run `module.main()` as a program of its own, without its standard output.

        The program itself says what its peak was: what the system counts for a child begins with
        the memory of its parent.

        Raises:
            subprocess.CalledProcessError: The program failed.
        """
        code = (
            f"import sys, time; from {module} import main; status = main(sys.argv[1:]); "
            "from benchmarks.measure import memory; "
            "print(time.process_time(), memory('VmHWM'), file=sys.stderr); sys.exit(status)"
        )
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
        seconds = time.perf_counter() - begin
        processor, peak = done.stderr.split()[-2:]
        self.measured.append(Measured(name, seconds, float(processor), 0, int(peak)))


def memory(what: str) -> int:
    """The bytes of VmRSS or VmHWM, the most so far where the system does not tell."""
    try:
        match = re.search(rf"^{what}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        match = None
    kilobytes = int(match[1]) if match else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * 1024


def reset_peak() -> bool:
    """Let the peak begin anew; where that is not allowed, a peak is the most so far."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True

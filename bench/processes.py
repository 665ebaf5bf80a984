"""What the kernel knows of a process and of the machine, from /proc."""

from __future__ import annotations

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """The process and all its descendants that are alive."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the process with its descendants."""
    return sum(_cpu(member) for member in family(pid))


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def exact_cpu_seconds(pid: int) -> float:
    """CPU time of the threads that the process and its descendants have now, to the nanosecond instead of the tick."""
    tasks = (task for member in family(pid) for task in Path(f"/proc/{member}/task").glob("*/schedstat"))
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def peak_memory(pid: int) -> int:
    """The largest resident set so far, in bytes, added up over the process and its descendants (VmHWM)."""
    return sum(_peak(member) for member in family(pid))


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def machine_busy() -> float:
    """Seconds of CPU that everybody on this machine has used, over all cores."""
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICK


def machine() -> dict[str, str | int]:
    """Cores, processor, memory and kernel, for the record."""
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?"
    )
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024**2
    return {"cores": os.cpu_count() or 0, "processor": model, "memory_gb": memory, "kernel": os.uname().release}

"""The figures as tables for people and as JSON for comparing."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lxml.etree
import sqlalchemy
import uvicorn

from bench.floor import STEPS
from bench.gateway_under_test import JUDGED, Run
from bench.mailbox import Store, times
from bench.processes import machine
from bench.rounds import Measured

RESULTS = Path(__file__).parent / "results"
MB = 1024 * 1024
#: kind of reading -> its name in the table
READING = {
    "next": "GetNextDocument",
    "empty": "GetNextDocument, nothing waits",
    "search": "GetDocuments by korelacjaSysref",
}
#: a step of the walk -> the steps of the floor that are its bare work
BARE = {
    "parse": ("parse",),
    "identify": (),
    "validate": ("validate",),
    "verify": ("canonicalise and digest", "verify RSA"),
    "authorize": (),
    "receipt": ("receipt",),
    "record": ("commit / 16",),
    "the rest": ("HTTP", "base64", "hash"),
}


def lines(measured: dict[int, Measured], stores: list[Store]) -> Iterator[str]:
    """Everything, as lines of text; of either part what was measured."""
    here = machine()
    yield f"{here['processor']}, {here['cores']} cores, {here['memory_gb']} GB, Linux {here['kernel']}, Python {platform.python_version()}"
    yield "Load generator, server, worker and authority share these cores: rates are what is left, CPU per message is the steadier figure."
    for size, entry in measured.items():
        yield ""
        yield f"{size} KB declarations ({entry.signed.unsigned} bytes, signed {entry.signed.signed}; XAdES-BES, RSA-2048)"
        yield from _table(_ratio_rows(entry))
        yield ""
        yield from _table(_load_rows("one worker draining", entry.draining))
        yield "  (here the server's CPU includes taking the three answers that the authority sends for each delivered message)"
        yield ""
        yield from _table(_load_rows("two server processes", entry.two_processes))
        yield ""
        yield from _table(_step_rows(entry, max(entry.rounds)))
    yield ""
    if stores:
        yield from _table(_reading_rows(stores))
        yield ""
    if measured:
        yield from _verdict(measured)
    for kind, name in READING.items() if stores else ():
        yield f"{name}: {stores[-1].documents} documents cost {times(stores, kind):.2f} times what {stores[0].documents} cost"


def _reading_rows(stores: list[Store]) -> list[Sequence[str]]:
    """CPU is the median of the rounds; the million of documents is loaded before the server starts."""
    rows: list[Sequence[str]] = [("reading, one call at a time", "documents", "loaded s", "CPU us", "p50 ms", "p99 ms")]
    for kind, name in READING.items():
        for store in stores:
            cpu, p50, p99 = statistics.median(store.cpu[kind]) * 1e6, store.latency(kind, 0.5) * 1e3, store.latency(kind, 0.99) * 1e3
            rows.append((name, str(store.documents), f"{store.loaded:.1f}", f"{cpu:.0f}", f"{p50:.1f}", f"{p99:.1f}"))
    return rows


def _verdict(measured: dict[int, Measured]) -> Iterator[str]:
    runs = [run for entry in measured.values() for run in _all_runs(entry)]
    accepted = sum(run.accepted for run in runs)
    yield f"Checked: {accepted} accepted replies in {len(runs)} runs, each with its rows in the database; receipts verified."
    for size, entry in measured.items():
        for clients in entry.rounds:
            ratio = entry.ratio(clients)
            yield f"floor/ours, {size} KB, {_clients(clients)}: {1 / ratio:.2f} (the gateway costs {ratio:.2f} times the floor)"
        if 1 in entry.rounds:
            alone = f"{entry.ratio_alone():.2f} times a floor with a commit for each message ({entry.floor(1).total_alone:.0f} us)"
            yield f"One client shares his commits with nobody: {size} KB costs {alone}"


def _clients(number: int) -> str:
    return f"{number} client{'s' if number > 1 else ''}"


def _ratio_rows(entry: Measured) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("workers stopped", "accepted/s", "p50 ms", "p99 ms", "CPU us", "floor us", "times", "peak MB", "others")]
    for clients, pairs in entry.rounds.items():
        runs = [run for _, run in pairs]
        rows.append(
            (
                _clients(clients),
                *_rate(runs),
                f"{_median(runs, 'cpu'):.0f}",
                f"{entry.floor(clients).total:.0f}",
                f"{entry.ratio(clients):.2f}",
                f"{max(run.memory for run in runs) / MB:.0f}",
                f"{_median(runs, 'others'):.0%}",
            )
        )
    return rows


def _load_rows(name: str, runs: list[Run]) -> list[Sequence[str]]:
    draining = any(run.drained is not None for run in runs)
    extra = ("delivered/s", "worker CPU us") if draining else ()
    rows: list[Sequence[str]] = [(name, "accepted/s", "p50 ms", "p99 ms", "CPU us", *extra, "peak MB", "others")]
    for run in runs:
        drained = (f"{run.drained:.0f}", f"{run.worker_cpu:.0f}") if run.drained is not None else ()
        name = _clients(run.clients)
        rows.append((name, *_rate([run]), f"{run.cpu:.0f}", *drained, f"{run.memory / MB:.0f}", f"{run.others:.0%}"))
    return rows


def _rate(runs: list[Run]) -> tuple[str, str, str]:
    return f"{_median(runs, 'rate'):.0f}", f"{_median(runs, 'p50') * 1000:.1f}", f"{_median(runs, 'p99') * 1000:.1f}"


def _step_rows(entry: Measured, clients: int) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [(f"CPU us, {clients} clients", "gateway", "floor", "of which")]
    floor = entry.floor(clients).steps
    for step, spent in steps(entry, clients).items():
        bare = BARE[step]
        rows.append(
            (step, f"{spent:.0f}", f"{sum(floor[name] for name in bare):.0f}", ", ".join(f"{name} {floor[name]:.0f}" for name in bare))
        )
    return rows


def steps(entry: Measured, clients: int) -> dict[str, float]:
    """CPU of the gateway by step, in microseconds. The judging steps are medians of the timelines in the history table
    (they run without interruption, so time is CPU), `record` was measured apart, the rest is what remains of the whole:
    HTTP, envelope, token, Base64, digest, reply."""
    runs = [run for _, run in entry.rounds[clients]]
    found = {step: statistics.median(run.steps[step] for run in runs) for step in JUDGED} | {"record": entry.record}
    return found | {"the rest": _median(runs, "cpu") - sum(found.values())}


def _median(runs: list[Run], name: str) -> float:
    return statistics.median([float(getattr(run, name)) for run in runs])


def _all_runs(entry: Measured) -> list[Run]:
    return [*(run for pairs in entry.rounds.values() for _, run in pairs), *entry.draining, *entry.two_processes]


def _table(rows: list[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        yield "  " + "  ".join(cells).rstrip()


def as_json(measured: dict[int, Measured], stores: list[Store]) -> dict[str, Any]:
    """All figures, with what they were measured on. Microseconds, seconds, bytes."""
    versions = {"lxml": lxml.etree.__version__, "sqlalchemy": sqlalchemy.__version__, "uvicorn": uvicorn.__version__}
    sizes = {}
    for size, entry in measured.items():
        sizes[str(size)] = {
            "bytes": {"unsigned": entry.signed.unsigned, "signed": entry.signed.signed},
            "ratio": {str(clients): round(entry.ratio(clients), 3) for clients in entry.rounds},
            "steps": {str(clients): steps(entry, clients) for clients in entry.rounds},
            "floor": {str(clients): {step: entry.floor(clients).steps[step] for step in STEPS} for clients in entry.rounds},
            "rounds": {str(c): [{"floor": f.total, "run": asdict(r)} for f, r in pairs] for c, pairs in entry.rounds.items()},
            "draining": [asdict(run) for run in entry.draining],
            "two_processes": [asdict(run) for run in entry.two_processes],
        }
    return {
        "at": datetime.now(UTC).isoformat(),
        "python": platform.python_version(),
        "machine": machine(),
        "versions": versions,
        "sizes": sizes,
        "reading": [_reading(store) for store in stores],
        "reading_times": {kind: times(stores, kind) for kind in READING if stores},
    }


def _reading(store: Store) -> dict[str, Any]:
    kinds = {
        kind: {
            "cpu": store.cpu[kind],
            "p50": store.latency(kind, 0.5),
            "p99": store.latency(kind, 0.99),
            "calls": len(store.latencies[kind]),
        }
        for kind in READING
    }
    return {"documents": store.documents, "loaded": store.loaded, **kinds}


def write(measured: dict[int, Measured], stores: list[Store], file: Path | None) -> Path:
    """The JSON, in `file` or under bench/results/; gives the file."""
    if file is None:
        RESULTS.mkdir(exist_ok=True)
        file = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}.json"
    file.write_text(json.dumps(as_json(measured, stores), indent=1) + "\n")
    return file

"""Metrics: one annotated list. Totals come from the database, so any process answers for all of them; refused calls, of which
nothing is stored, are counted by each process for itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.engine import Engine


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number read from the database by `query`, whose first columns are the labels and whose last is the value."""

    name: str
    help: str
    labels: tuple[str, ...]
    query: str


GAUGES = (
    Gauge("brama_messages", "Messages in the store.", ("system", "state"), "SELECT system, state, count(*) FROM messages GROUP BY 1, 2"),
    Gauge("brama_deliveries", "Deliveries by state.", ("system", "state"), "SELECT system, state, count(*) FROM deliveries GROUP BY 1, 2"),
    Gauge(
        "brama_servings",
        "Official documents held for a UPD, signed for, or lapsed.",
        ("system", "state"),
        "SELECT system, state, count(*) FROM servings GROUP BY 1, 2",
    ),
    Gauge(
        "brama_dead_letters",
        "Dead letters that await a person.",
        ("system", "code"),
        "SELECT system, code, count(*) FROM dead_letters WHERE closed_at IS NULL GROUP BY 1, 2",
    ),
    Gauge(
        "brama_documents_waiting",
        "Documents in mailboxes not yet collected.",
        (),
        "SELECT count(*) FROM collections WHERE collected_at IS NULL",
    ),
)


class _FromDatabase(Collector):
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._engine.connect() as connection:
            for gauge in GAUGES:
                family = GaugeMetricFamily(gauge.name, gauge.help, labels=gauge.labels)
                for *labels, value in connection.execute(text(gauge.query)):
                    family.add_metric([str(label) for label in labels], float(value))
                yield family


class Metrics:
    """What one process tells: totals of all processes from the database, and the calls that it refused itself."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_FromDatabase(engine))
        self._refused = Counter(
            "brama_refused_calls", "Calls answered with a fault; nothing else is kept of them.", ["code"], registry=self._registry
        )

    def refused(self, code: str) -> None:
        """Count a call that got a fault. `code` is one of the catalogue, so there is a bounded number of them."""
        self._refused.labels(code).inc()

    def exposition(self) -> bytes:
        """The Prometheus text format. Counts all rows there are: call it beside the event loop."""
        return generate_latest(self._registry)

"""Metrics: one annotated list. Totals come from the database, so any process answers for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
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


def exposition(engine: Engine) -> bytes:
    """The Prometheus text format."""
    registry = CollectorRegistry()
    registry.register(_FromDatabase(engine))
    return generate_latest(registry)

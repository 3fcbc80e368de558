"""Spans and metrics in memory, as in a program with OpenTelemetry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

__all__ = ["Telemetry", "collected"]


@attrs.frozen
class Telemetry:
    """The collected spans and metrics."""

    _exporter: InMemorySpanExporter
    _reader: InMemoryMetricReader

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """All spans that have ended, in the order of their ends."""
        return self._exporter.get_finished_spans()

    @property
    def names(self) -> list[str]:
        """The names of the spans, in the order of their beginnings."""
        return [each.name for each in sorted(self.spans, key=lambda each: each.start_time or 0)]

    def span(self, name: str) -> ReadableSpan:
        """Return the only span with a name."""
        [found] = [each for each in self.spans if each.name == name]
        return found

    def children(self, name: str) -> list[str]:
        """Return the names of the children of the only span with a name."""
        context = self.span(name).context
        assert context is not None
        below = [
            each for each in self.spans if each.parent and each.parent.span_id == context.span_id
        ]
        return [each.name for each in sorted(below, key=lambda each: each.start_time or 0)]

    def metrics(self) -> dict[str, list[tuple[dict[str, object], float]]]:
        """Return by name the attributes and values; of a histogram, the sum."""
        found: dict[str, list[tuple[dict[str, object], float]]] = {}
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        value = point.sum if isinstance(point, HistogramDataPoint) else point.value  # type: ignore[union-attr]  # of a counter or a gauge
                        found.setdefault(metric.name, []).append(
                            (dict(point.attributes or {}), value)
                        )
        return found

    def __str__(self) -> str:
        """The text of everything that an exporter would show, for a search."""
        return "\n".join([*(each.to_json() for each in self.spans), repr(self.metrics())])


@contextmanager
def collected(monkeypatch: pytest.MonkeyPatch, *processors: SpanProcessor) -> Iterator[Telemetry]:
    """Set OpenTelemetry up in a context; a program can do this only once."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider(metric_readers=[reader])
    for each in (*processors, SimpleSpanProcessor(exporter)):
        tracers.add_span_processor(each)
    with monkeypatch.context() as patch:
        patch.setattr(trace, "get_tracer_provider", lambda: tracers)
        patch.setattr(metrics, "get_meter_provider", lambda: meters)
        yield Telemetry(exporter, reader)
    tracers.shutdown()
    meters.shutdown()

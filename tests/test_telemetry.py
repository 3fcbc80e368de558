"""Spans and metrics: written if the program has OpenTelemetry, and always harmless."""

from __future__ import annotations

import importlib
import sys

import anyio
import pytest
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from newsleopard_async import telemetry
from tests.telemetry import collected
from tests.transport.scripted import SUBMIT, Scripted, answer, make_api

MODULES = ("opentelemetry.trace", "opentelemetry.metrics")


class BrokenAtStart(SpanProcessor):
    """Fails when a span begins."""

    def on_start(self, span: Span, parent_context: object = None) -> None:
        """Fail."""
        raise RuntimeError("the exporter is down")


class BrokenAtEnd(SpanProcessor):
    """Fails when a span ends."""

    def on_end(self, span: ReadableSpan) -> None:
        """Fail."""
        raise RuntimeError("the exporter is down")


def test_span_without_opentelemetry_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without it notices nothing, and nothing is imported for it."""
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name)

    with telemetry.span("newsleopard.test") as span:
        span.set({"a": 1})
        span.event("b", {})
        span.failed("c")
    telemetry.record("newsleopard.client.retries", 1, {})

    assert not telemetry.is_traced()
    assert not telemetry.is_measured()
    assert not set(MODULES) & set(sys.modules)


def test_muted_call_is_not_traced_and_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsal must not appear as a real send; after it, spans and metrics are written again."""
    with collected(monkeypatch) as seen:
        with telemetry.muted(), telemetry.span("tried"):
            telemetry.record("newsleopard.client.day.used", 9, {})
        with telemetry.span("happened"):
            pass

    assert seen.names == ["happened"]
    assert seen.metrics() == {}


def test_span_has_attributes_events_and_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """A span that is opened inside is a child; an unknown value is left out."""
    with (
        collected(monkeypatch) as seen,
        telemetry.span("outer", attributes={"known": 1, "unknown": None}) as outer,
    ):
        outer.set({"later": True})
        outer.event("attempt", {"number": 1, "status": None})
        with telemetry.span("inner", client=True):
            pass

    span = seen.span("outer")
    assert dict(span.attributes or {}) == {"known": 1, "later": True}
    assert [(each.name, dict(each.attributes or {})) for each in span.events] == [
        ("attempt", {"number": 1})
    ]
    assert (span.kind, seen.span("inner").kind) == (SpanKind.INTERNAL, SpanKind.CLIENT)
    assert seen.children("outer") == ["inner"]
    assert span.status.status_code is StatusCode.UNSET


def test_error_that_leaves_is_named_and_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The span has the class of an error, but not its text, which can contain anything."""
    with (
        collected(monkeypatch) as seen,
        pytest.raises(ValueError, match="secret"),
        telemetry.span("outer"),
    ):
        raise ValueError("secret")

    span = seen.span("outer")
    assert dict(span.attributes or {}) == {"error.type": "ValueError"}
    assert span.status.status_code is StatusCode.ERROR
    assert "secret" not in str(seen)


@pytest.mark.anyio
async def test_cancelled_span_ends_and_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancellation is recorded, but not as an error."""
    with collected(monkeypatch) as seen, anyio.CancelScope() as scope, telemetry.span("outer"):
        scope.cancel()
        await anyio.lowlevel.checkpoint()

    span = seen.span("outer")
    assert dict(span.attributes or {}) == {"newsleopard.cancelled": True}
    assert span.status.status_code is StatusCode.UNSET


def test_metrics_have_values_and_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Histograms, counters and gauges are written by one function."""
    with collected(monkeypatch) as seen:
        telemetry.record("http.client.request.duration", 0.25, {"a": 1, "b": None})
        telemetry.record("newsleopard.client.retries", 2, {})
        telemetry.record("newsleopard.client.retries", 1, {})
        telemetry.record("newsleopard.client.day.used", 9, {})
        assert telemetry.is_traced()
        assert telemetry.is_measured()

        assert seen.metrics() == {
            "http.client.request.duration": [({"a": 1}, 0.25)],
            "newsleopard.client.retries": [({}, 3)],
            "newsleopard.client.day.used": [({}, 9)],
        }


@pytest.mark.parametrize("processor", [BrokenAtStart(), BrokenAtEnd()])
def test_broken_processor_harms_nothing(
    processor: SpanProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of an exporter never reaches the observed call."""
    done = False

    with collected(monkeypatch, processor), telemetry.span("outer") as span:
        span.set({"a": 1})
        done = True

    assert done


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("opentelemetry.context", "attach"),
        ("opentelemetry.context", "detach"),
        ("opentelemetry.instrumentation.utils", "suppress_http_instrumentation"),
    ],
)
@pytest.mark.parametrize("how", ["fails", "is not there yet"])
async def test_broken_context_harms_no_request(
    module: str, name: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another thread is importing the module, the campaign's code is still returned."""

    def fail(*_: object) -> None:
        raise RuntimeError("the context is broken")

    importlib.import_module(module)
    script = Scripted(answer(200, b'{"sn": "c0de"}'))
    with collected(monkeypatch), monkeypatch.context() as patch:
        patch.setattr(f"{module}.{name}", fail)
        if how == "is not there yet":
            patch.delattr(f"{module}.{name}")

        assert await make_api(script).call(SUBMIT) == "c0de"

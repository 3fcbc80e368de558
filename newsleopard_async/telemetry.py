"""Spans and metrics, if the program uses OpenTelemetry.

Only a program that has imported ``opentelemetry`` can use it, so this module finds it among the
imported modules and never imports it. Errors of exporters and span processors are suppressed: a
campaign that was sent must not fail because of its trace.

Names and units follow the semantic conventions for HTTP clients, version 1.23 and later (stable).
Spans and metrics contain no query, header, error message, e-mail address or name.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Final, TypeAlias

import attrs

from newsleopard_async.version import __version__

__all__ = [
    "Attributes",
    "Span",
    "is_measured",
    "is_traced",
    "muted",
    "record",
    "span",
    "suppress_errors",
]

Attributes: TypeAlias = Mapping[str, str | bool | int | float | None]
"""None leaves an attribute out."""

_SCOPE: Final = "newsleopard_async"
"""The instrumentation scope of the spans and metrics."""


@attrs.frozen
class _Instrument:
    """A metric: the method that creates it, its unit and its description."""

    make: str
    unit: str
    description: str
    more: Mapping[str, Any] = attrs.field(factory=dict)


_SECONDS: Final = {
    # Source: the semantic conventions' advice for http.client.request.duration.
    "explicit_bucket_boundaries_advisory": (
        *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
    )
}

_INSTRUMENTS: Final[Mapping[str, _Instrument]] = {
    "http.client.request.duration": _Instrument(
        "create_histogram", "s", "Duration of an attempt at a request.", _SECONDS
    ),
    "newsleopard.client.queue.duration": _Instrument(
        "create_histogram", "s", "Time that an attempt waited for its slot.", _SECONDS
    ),
    "newsleopard.client.retries": _Instrument(
        "create_counter", "{retry}", "Attempts that followed a failed one."
    ),
    "newsleopard.client.day.used": _Instrument(
        "create_gauge", "{request}", "Requests of this UTC day that this process knows of."
    ),
    "newsleopard.client.day.remaining": _Instrument(
        "create_gauge", "{request}", "Requests that are left on this UTC day."
    ),
}


@attrs.define
class _ProviderCache:
    """The tracer or the instruments of one provider."""

    provider: object = None
    tracer: Any = None
    instruments: dict[str, Any] = attrs.field(factory=dict)


_is_muted: Final = ContextVar("newsleopard_async_is_muted", default=False)
_traced: Final = _ProviderCache()
_measured: Final = _ProviderCache()


class Span:
    """An open span, or a placeholder that does nothing."""

    __slots__ = ("_span",)

    def __init__(self, made: Any = None) -> None:
        self._span: Any = made

    def set(self, attributes: Attributes) -> None:
        """Set attributes."""
        if self._span is not None:
            with contextlib.suppress(Exception):
                self._span.set_attributes(_given(attributes))

    def event(self, name: str, attributes: Attributes) -> None:
        """Add an event with the current time."""
        if self._span is not None:
            with contextlib.suppress(Exception):
                self._span.add_event(name, _given(attributes))

    def failed(self, error_type: str) -> None:
        """Mark the span as failed, with the type of the error: a class, a status or a cause."""
        if self._span is not None:
            with contextlib.suppress(Exception):
                self._span.set_attribute("error.type", error_type)
                self._span.set_status(sys.modules["opentelemetry.trace"].StatusCode.ERROR)

    def _end(self) -> None:
        with contextlib.suppress(Exception):
            self._span.end()


_NONE: Final = Span()


@contextlib.contextmanager
def span(
    name: str, *, client: bool = False, attributes: Attributes | None = None
) -> Iterator[Span]:
    """Open a span, which becomes the parent of the spans that are opened inside.

    The class of an error becomes ``error.type``. A cancellation is not an error.

    Args:
        name: One of few names, so that spans can be grouped by name.
        client: Whether the span is about a request to a server.
        attributes: The attributes that are known at the start.
    """
    opened = _start_span(name, attributes or {}, client=client)
    if opened is None:
        yield _NONE
        return
    with suppress_errors(lambda: _current(opened)):
        try:
            yield opened
        except Exception as error:
            opened.failed(type(error).__qualname__)
            raise
        except BaseException:
            opened.set({"newsleopard.cancelled": True})
            raise
        finally:
            opened._end()  # noqa: SLF001 - only this function ends it


def _start_span(name: str, attributes: Attributes, *, client: bool) -> Span | None:
    if not is_traced():
        return None
    trace = sys.modules["opentelemetry.trace"]
    with contextlib.suppress(Exception):
        kind = trace.SpanKind.CLIENT if client else trace.SpanKind.INTERNAL
        return Span(_tracer(trace).start_span(name, kind=kind, attributes=_given(attributes)))
    return None


def _tracer(trace: Any) -> Any:
    provider = trace.get_tracer_provider()
    if _traced.provider is not provider:
        _traced.tracer = provider.get_tracer(_SCOPE, __version__)
        _traced.provider = provider
    return _traced.tracer


@contextlib.contextmanager
def _current(opened: Span) -> Iterator[None]:
    """Make a span the parent of the spans that are opened inside."""
    trace, context = sys.modules["opentelemetry.trace"], sys.modules["opentelemetry.context"]
    token = context.attach(trace.set_span_in_context(opened._span))  # noqa: SLF001 - ours
    try:
        yield
    finally:
        context.detach(token)


@contextlib.contextmanager
def suppress_errors(make: Callable[[], AbstractContextManager[object]]) -> Iterator[None]:
    """Enter a context of OpenTelemetry, and ignore its errors.

    It can fail, for example, while another thread is importing the modules of OpenTelemetry.
    """
    stack = contextlib.ExitStack()
    with contextlib.suppress(Exception):
        stack.enter_context(make())
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            stack.close()


def is_traced() -> bool:
    """Return whether the program possibly uses spans; if not, nothing is computed for them."""
    return "opentelemetry.trace" in sys.modules and not _is_muted.get()


def is_measured() -> bool:
    """Return whether the program possibly uses metrics."""
    return "opentelemetry.metrics" in sys.modules and not _is_muted.get()


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Record no span and no metric in this task and the tasks that it starts."""
    token = _is_muted.set(True)
    try:
        yield
    finally:
        _is_muted.reset(token)


def record(name: str, value: float, attributes: Attributes) -> None:
    """Record a value of one of the metrics."""
    if not is_measured():
        return
    metrics = sys.modules["opentelemetry.metrics"]
    with contextlib.suppress(Exception):
        instrument = _instrument(metrics, name)
        write = instrument.add if hasattr(instrument, "add") else None
        write = write or (instrument.record if hasattr(instrument, "record") else instrument.set)
        write(value, _given(attributes))


def _instrument(metrics: Any, name: str) -> Any:
    provider = metrics.get_meter_provider()
    if _measured.provider is not provider:
        meter = provider.get_meter(_SCOPE, __version__)
        _measured.instruments = {
            each: getattr(meter, made.make)(
                each, unit=made.unit, description=made.description, **made.more
            )
            for each, made in _INSTRUMENTS.items()
        }
        _measured.provider = provider
    return _measured.instruments[name]


def _given(attributes: Attributes) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}

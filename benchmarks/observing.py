"""The cost of observing: the CPU of a call with nothing, the log, a hook and OpenTelemetry.

    python -m benchmarks.observing [--beside FOLDER]

A call is `list_lists` over a transport that answers immediately. Each figure is the median of
interleaved runs, each in a new interpreter, of the fastest fifty calls of a run. FOLDER is the
source tree of another version, which is measured alternately, so that both have the same
conditions.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import anyio
import httpx

from benchmarks.measuring import heading

RUNS: Final = 9
ROUNDS: Final = 40
CALLS: Final = 50


class _Body(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'{"Lists": []}'


class _AtOnce(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        headers = {"content-type": "application/json", "x-amzn-requestid": "6f1e2d3c-0000-4444"}
        return httpx.Response(200, headers=headers, stream=_Body())


def nothing() -> dict[str, Any]:
    """Observe nothing."""
    return {}


def log_at_info() -> dict[str, Any]:
    """Log at INFO: a call without a fault writes no line."""
    _log(logging.INFO)
    return {}


def log_at_debug() -> dict[str, Any]:
    """Write a line for each attempt, to memory."""
    _log(logging.DEBUG)
    return {}


def _log(level: int) -> None:
    logging.basicConfig(stream=io.StringIO())
    logging.getLogger("newsleopard_async").setLevel(level)


def hook() -> dict[str, Any]:
    """Use a hook that only calls the next one."""

    async def on_attempt(attempt: Any, call_next: Callable[[Any], Any]) -> None:
        await call_next(attempt)

    return {"on_attempt": on_attempt}


def otel_without_sdk() -> dict[str, Any]:
    """Load the API of OpenTelemetry, which writes nothing without its SDK."""
    import opentelemetry.metrics
    import opentelemetry.trace  # noqa: F401 - it is enough that it is loaded

    return {}


def otel_with_sdk() -> dict[str, Any]:
    """Collect spans and metrics in memory."""
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
    return {}


WAYS: Final[tuple[Callable[[], dict[str, Any]], ...]] = (
    nothing,
    log_at_info,
    log_at_debug,
    hook,
    otel_without_sdk,
    otel_with_sdk,
)


async def call_us(**options: Any) -> float:
    """Measure the CPU of a call, in microseconds."""
    from newsleopard_async import NewsLeopard, RateLimits

    found = []
    unlimited = RateLimits(windows=())
    async with NewsLeopard("key", http_transport=_AtOnce(), rate_limits=unlimited, **options) as nl:
        for _ in range(ROUNDS):
            began_s = time.process_time()
            for _ in range(CALLS):
                await nl.contacts.list_lists()
            found.append((time.process_time() - began_s) / CALLS * 1e6)
    return min(found)


def measured(tree: Path, way: str) -> float:
    """Measure one way in a new interpreter, with the package of a source tree."""
    program = [sys.executable, str(Path(__file__).resolve()), "--way", way]
    env = {**os.environ, "PYTHONPATH": str(tree)}
    ran = subprocess.run(program, capture_output=True, text=True, check=True, env=env)
    return float(ran.stdout)


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--way")
    given = parser.parse_args()
    if given.way:
        [way] = [each for each in WAYS if each.__name__ == given.way]
        options = way()

        async def call() -> float:
            return await call_us(**options)

        print(anyio.run(call))
        return
    print(heading("httpx", "opentelemetry-sdk"), end="\n\n")
    asked = [(Path.cwd(), each.__name__) for each in WAYS]
    if given.beside:
        asked.insert(0, (given.beside, "nothing"))
    took: dict[tuple[Path, str], list[float]] = {each: [] for each in asked}
    for _ in range(RUNS):
        for each in asked:
            took[each].append(measured(*each))
    for (tree, name), found in took.items():
        print(f"{name.replace('_', ' '):20}{statistics.median(found):8.0f} µs a call   {tree.name}")


if __name__ == "__main__":
    main()

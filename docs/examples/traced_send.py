"""One send with two faults, in the log and in a trace.

It needs no account and no network, only the extra ``emulator`` and the package
``opentelemetry-sdk``.
"""

import logging
import random
import sys

import anyio
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from newsleopard_async import Campaign, NewsLeopard, Sender, workflows
from newsleopard_async.emulator import Emulator, Switches
from newsleopard_async.testing import ManualClock

CAMPAIGN = Campaign(
    name="週年慶",
    subject="${NAME}，您的專屬優惠",
    sender=Sender("電子豹", "service@example.com"),
    html='<html><head><meta charset="utf-8"></head><body>${NAME} 您好</body></html>',
)
SWITCHES = Switches(send_base_s=0, later_endpoints=True)
CONTACTS = [{"EMAIL": f"reader{n}@example.com", "NAME": f"讀者{n}"} for n in range(200)]


async def send() -> None:
    """Send a campaign; the platform refuses one request, and the reply to the submit is lost."""
    clock = ManualClock()  # An hour of waiting takes no time.
    # A small campaign is sent immediately, so the first search finds it.
    emulator = Emulator(clock=clock, latency_s=0.04, switches=SWITCHES)
    emulator.throttle("start_file_import")
    emulator.lose_reply_to("submit_campaign")
    async with NewsLeopard("test-key", http_transport=emulator.transport(), clock=clock) as nl:
        outcome = await workflows.send_campaign(
            nl, CAMPAIGN, contacts=CONTACTS, list_name="週年慶會員", marker="2027-01"
        )
    assert outcome.campaign_sn == emulator.campaigns[0].sn
    assert len(emulator.campaigns) == 1


def print_tree(spans: list[ReadableSpan], parent: int | None = None, indent: str = "") -> None:
    """Print spans below their parents, with their errors and events."""
    for span in sorted(spans, key=lambda each: each.start_time or 0):
        if (span.parent and span.parent.span_id) == parent and span.context is not None:
            about = dict(span.attributes or {})
            failed = f"  error.type={about['error.type']}" if "error.type" in about else ""
            print(f"{indent}{span.name}{failed}")
            for event in span.events:
                details = dict(event.attributes or {})
                said = details.get("http.response.status_code") or details.get("error.type")
                print(f"{indent}    · {event.name}" + (f": {said}" if said else ""))
            print_tree(spans, span.context.span_id, f"{indent}    ")


def main() -> None:
    """Print the log, then the trace."""
    random.seed(2027)  # The waits between attempts are random.
    logging.basicConfig(stream=sys.stdout, format="%(levelname)-7s %(message)s")
    logging.getLogger("newsleopard_async").setLevel(logging.DEBUG)
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    anyio.run(send)
    print()
    print_tree(list(exporter.get_finished_spans()))


if __name__ == "__main__":
    main()

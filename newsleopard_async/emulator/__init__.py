"""A stateful NewsLeopard to test against: in process, or as a server on loopback.

It shares no code with the client: both sides write the wire format by hand, because shared code
would share its mistakes. ``Switches`` decides each point that the documentation leaves open, and
``docs/emulator-reference.md`` lists the assumptions.
"""

from __future__ import annotations

try:
    from newsleopard_async.emulator.emulator import Emulator
    from newsleopard_async.emulator.http.asgi_transport import EmulatorTransport
    from newsleopard_async.emulator.platform.addressbook import Contact, ContactList
    from newsleopard_async.emulator.platform.automation import EventRecipient, EventRecord
    from newsleopard_async.emulator.platform.clock import EmulatorClock
    from newsleopard_async.emulator.platform.faults import PendingFault
    from newsleopard_async.emulator.platform.gateway import OPERATIONS, RequestRecord
    from newsleopard_async.emulator.platform.imports import ImportJob
    from newsleopard_async.emulator.platform.mailings import Campaign
    from newsleopard_async.emulator.platform.outbox import Mail, Outbox
    from newsleopard_async.emulator.platform.templates import Template
    from newsleopard_async.emulator.platform.webhooks import Delivery
    from newsleopard_async.emulator.sandbox import views
    from newsleopard_async.emulator.sandbox.access import ControlOptions
    from newsleopard_async.emulator.sandbox.connection import EmulatorControlError
    from newsleopard_async.emulator.sandbox.control_client import EmulatorControl
    from newsleopard_async.emulator.switches import Profile, Switches
except ModuleNotFoundError as _missing:
    if (_missing.name or "").partition(".")[0] != "starlette":
        raise
    raise ModuleNotFoundError(
        "the emulator and rehearsals need starlette; install it with "
        'pip install "newsleopard-async[emulator]"',
        name=_missing.name,
    ) from None

__all__ = [
    "OPERATIONS",
    "Campaign",
    "Contact",
    "ContactList",
    "ControlOptions",
    "Delivery",
    "Emulator",
    "EmulatorClock",
    "EmulatorControl",
    "EmulatorControlError",
    "EmulatorTransport",
    "EventRecipient",
    "EventRecord",
    "ImportJob",
    "Mail",
    "Outbox",
    "PendingFault",
    "Profile",
    "RequestRecord",
    "Switches",
    "Template",
    "views",
]

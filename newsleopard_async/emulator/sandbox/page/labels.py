"""The English labels of the page, and the colour tone of each state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["EVENTS", "FAULTS", "KINDS", "MOMENTS", "READERS", "SECTIONS", "TONES", "WORDS"]

WORDS: Final[Mapping[str, str]] = {
    "DRAFT": "draft",
    "PREPARE": "being prepared",
    "PREPARE_TO_SENT": "scheduled",
    "SENDING": "being sent",
    "TESTING": "A/B test is running",
    "COMPLETE": "complete",
    "COMPLETED": "complete",
    "STOP": "paused",
    "EMPTY_RECIPIENT": "no recipients",
    "INSUFFICIENT_RECIPIENT_FOR_TESTING": "too few recipients for a test",
    "OVER_LIMIT": "balance too low",
    "UNAUTHENTICATED_SENDER": "sender is not verified",
    "PROCESSING": "running",
    "ERROR": "failed",
    "MISSING_REQUIRED_DATA": "EMAIL or NAME is missing",
    "DUPLICATE_HEADER": "a column occurs twice",
    "WRONG_COLUMN_COUNT": "wrong number of columns",
    "EMPTY_EMAIL": "no address",
    "INVALID_EMAIL": "not an address",
    "NOT_A_NUMBER": "not a number",
    "NOT_A_DATE": "not a date",
}
"""States of campaigns and imports, and reasons of rejected rows, by the platform's token."""

TONES: Final[Mapping[str, str]] = {
    "COMPLETE": "good",
    "COMPLETED": "good",
    "PREPARE": "busy",
    "PREPARE_TO_SENT": "calm",
    "SENDING": "busy",
    "TESTING": "busy",
    "PROCESSING": "busy",
    "STOP": "warn",
    "DRAFT": "calm",
}
"""The colour tone of each state; all other states are ``bad``."""

EVENTS: Final[Mapping[str, str]] = {
    "delivery": "delivered",
    "open": "opened",
    "click": "clicked",
    "bounce": "bounced",
    "unsubscribe": "unsubscribed",
    "complain": "complained",
}
"""The events of a mail."""

READERS: Final[Mapping[str, str]] = {
    "open": "Open",
    "click": "Click",
    "bounce": "Bounce",
    "unsubscribe": "Unsubscribe",
    "complain": "Complain",
}
"""The buttons for actions of a reader."""

KINDS: Final[Mapping[str, str]] = {
    "regular": "Campaign",
    "subject": "A/B test of the subject",
    "sender": "A/B test of the sender",
    "content": "A/B test of the content",
}
"""Kinds of campaigns."""

MOMENTS: Final[Mapping[str, str]] = {
    "accepted": "Accepted",
    "begin": "Sending begins",
    "decision": "The test is decided",
    "end": "Sending ends",
    "stop": "Paused",
    "export": "Report exported",
    "delete": "Deleted",
}
"""The entries of a timeline."""

FAULTS: Final[Mapping[str, str]] = {
    "lose_reply": "The request is processed, and its answer is lost",
    "not_sent": "The request never arrives",
    "drop_request": "The connection breaks before the request is processed",
    "throttle": "The request is refused as too fast (429)",
    "answer": "The request is answered with another status",
    "delay": "The request is processed, and answered late",
    "hang": "No answer, and then the connection breaks",
    "cut_body": "Half of the answer is missing",
    "garbage": "The answer is not JSON",
}
"""The kinds of faults."""

SECTIONS: Final[tuple[tuple[str, str, str], ...]] = (
    ("overview", "/", "Overview"),
    ("mails", "/_emulator/ui/mails", "Mails"),
    ("campaigns", "/_emulator/ui/campaigns", "Campaigns"),
    ("lists", "/_emulator/ui/lists", "Lists"),
    ("contacts", "/_emulator/ui/contacts", "Contacts"),
    ("imports", "/_emulator/ui/imports", "Imports"),
    ("requests", "/_emulator/ui/requests", "Requests"),
    ("webhooks", "/_emulator/ui/webhooks", "Webhooks"),
    ("controls", "/_emulator/ui/controls", "Controls"),
    ("switches", "/_emulator/ui/switches", "Switches"),
)
"""The sections of the page: name, path, title."""

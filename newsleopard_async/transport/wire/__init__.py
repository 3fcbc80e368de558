"""The wire: the one place that knows the platform's names, shapes and formats.

Pure functions between parsed JSON and models. Reading is tolerant exactly where the
documentation contradicts itself (the trap ids stand beside each rule), and everywhere else
raises ``WireError``, whose text shows where and never what.
"""

from __future__ import annotations

from newsleopard_async.transport.wire.answers import (
    decode_campaign_sn,
    decode_import_result,
    decode_import_sn,
    decode_links,
    decode_list_sn,
    decode_lists,
    decode_sent_campaigns,
    decode_ticket,
)
from newsleopard_async.transport.wire.refusals import ErrorBody, decode_error
from newsleopard_async.transport.wire.requests import (
    encode_ab_test,
    encode_campaign,
    encode_submission,
    format_query_date,
    format_schedule_date,
)
from newsleopard_async.transport.wire.values import WireError

__all__ = [
    "ErrorBody",
    "WireError",
    "decode_campaign_sn",
    "decode_error",
    "decode_import_result",
    "decode_import_sn",
    "decode_links",
    "decode_list_sn",
    "decode_lists",
    "decode_sent_campaigns",
    "decode_ticket",
    "encode_ab_test",
    "encode_campaign",
    "encode_submission",
    "format_query_date",
    "format_schedule_date",
]

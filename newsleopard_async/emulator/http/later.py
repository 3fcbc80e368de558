"""The later endpoints, which only the vendor's notes have (T18): what answers each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from newsleopard_async.emulator.http.messages import Call, Reply, json_reply
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.notation import as_count

__all__ = ["ENDPOINTS"]


def get_balance(account: Account, call: Call, now: datetime) -> Reply:
    """Answer GET /v1/balance (T135)."""
    del call, now
    on = account.board.on
    mails = max(0, account.campaigns.balance)
    return json_reply({"email": as_count(mails, on), "sms": as_count(0, on)})


ENDPOINTS: Final[Mapping[str, Callable[[Account, Call, datetime], Reply]]] = {
    endpoint.__name__: endpoint for endpoint in (get_balance,)
}
"""What answers each operation."""

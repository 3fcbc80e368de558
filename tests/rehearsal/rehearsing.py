"""Helpers for the tests of rehearsals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from newsleopard_async import (
    Mailing,
    SendAt,
)
from newsleopard_async.rehearsal import Rehearsal, rehearse
from tests.clients import csv_of
from tests.constants import CAMPAIGN

__all__ = ["IN_A_YEAR", "NOW", "changed", "rehearsed"]

NOW = datetime(2026, 6, 1, 1, tzinfo=UTC)
IN_A_YEAR = SendAt(datetime(2027, 6, 1, 10, tzinfo=ZoneInfo("Asia/Taipei")))
THREE = csv_of(3)


def changed(mailing: Mailing = CAMPAIGN, **changes: Any) -> Mailing:
    """Return another campaign."""
    return attrs.evolve(mailing, **changes)


async def rehearsed(
    campaign: Mailing = CAMPAIGN, contacts: Any = THREE, **options: Any
) -> Rehearsal:
    """Rehearse at a fixed time."""
    return await rehearse(campaign, contacts, **{"now": NOW, **options})

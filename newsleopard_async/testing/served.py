"""What a test knows of an emulator that is served to it; apart, since it needs no pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from newsleopard_async.emulator import Emulator

__all__ = ["NewsLeopardServer"]


@attrs.frozen(kw_only=True)
class NewsLeopardServer:
    """An emulator behind a real socket on loopback: the fixture ``newsleopard_server``.

    Attributes:
        url: Its base URL, which is also in ``NEWSLEOPARD_BASE_URL``.
        key: A key that it knows, which is also in ``NEWSLEOPARD_API_KEY``.
        emulator: What is so, and what is to go wrong.
    """

    url: str
    key: str
    emulator: Emulator

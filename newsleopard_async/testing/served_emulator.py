"""The value of the fixture ``newsleopard_server``, apart from the plugin: it needs no pytest."""

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
        url: The base URL of the server, which is also in ``NEWSLEOPARD_BASE_URL``.
        key: A key that the server accepts, which is also in ``NEWSLEOPARD_API_KEY``.
        emulator: The emulator, to read its state and to set faults.
    """

    url: str
    key: str
    emulator: Emulator

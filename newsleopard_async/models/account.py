"""What an account has: its balance, and its templates."""

from __future__ import annotations

import attrs

from newsleopard_async.models.campaign import show_length
from newsleopard_async.plain import Plain

__all__ = ["Balance", "Template"]


@attrs.frozen(kw_only=True)
class Balance(Plain):
    """What an account may still send (餘額). Another program may use it up at any time.

    Attributes:
        mails: Mails, or None if the server does not say.
        sms: Text messages, or None if the server does not say.
    Source: GET /v1/balance; notes 2026 (T135).
    """

    mails: int | None = None
    sms: int | None = None


@attrs.frozen(kw_only=True)
class Template(Plain):
    """A template (範本) that was made in the console.

    Attributes:
        id: Its code.
        name: Its name; empty if the server gave none.
        html: Its HTML, or None if the server gave none, as a list of templates may.
    Source: GET /v1/templates; notes 2026, the shape follows the vendor's command line (T132).
    """

    id: str
    name: str = ""
    html: str | None = attrs.field(default=None, repr=show_length)

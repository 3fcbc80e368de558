"""The balance and the templates of an account."""

from __future__ import annotations

import attrs

from newsleopard_async.models.campaign import show_length
from newsleopard_async.plain import Plain

__all__ = ["Balance", "Template"]


@attrs.frozen(kw_only=True)
class Balance(Plain):
    """The number of mails that an account can still send (餘額). Other programs can use it up.

    Attributes:
        mails: Number of mails, or None if unknown.
        sms: Number of text messages, or None if unknown.
    Source: GET /v1/balance; notes 2026 (T135).
    """

    mails: int | None = None
    sms: int | None = None


@attrs.frozen(kw_only=True)
class Template(Plain):
    """A template (範本) that was created in the console.

    Attributes:
        id: Its code.
        name: Its name; empty if the server gave none.
        html: Its HTML, or None if unknown, for example in a list of templates.
    Source: GET /v1/templates; notes 2026, the shape follows the vendor's command line (T132).
    """

    id: str
    name: str = ""
    html: str | None = attrs.field(default=None, repr=show_length)

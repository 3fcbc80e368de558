"""Who a campaign comes from."""

from __future__ import annotations

import attrs

from newsleopard_async.models.rules import problems_of_address, problems_of_line, refuse
from newsleopard_async.plain import Plain

__all__ = ["Sender"]


@attrs.frozen
class Sender(Plain):
    """The sender (寄件人) as the recipient sees it.

    Attributes:
        name: Shown name; the platform's notes recommend at most 50 characters.
        address: Mail address; it must have passed 寄件人驗證 in the console.
    Source: content.fromName, content.fromAddress; documented.
    """

    name: str
    address: str

    def __attrs_post_init__(self) -> None:
        refuse(
            [
                *problems_of_line("name", self.name),
                *problems_of_address("address", self.address),
            ]
        )

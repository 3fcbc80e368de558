"""A campaign: one mailing, the same for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import attrs

from newsleopard_async.errors import Problem
from newsleopard_async.models.mailing import (
    BaseMailing,
    problems_of_html,
    problems_of_sender,
    show_length,
)
from newsleopard_async.models.rules import problems_of_line
from newsleopard_async.models.sender import Sender

__all__ = ["Campaign"]


@attrs.frozen(kw_only=True)
class Campaign(BaseMailing):
    """A campaign (活動), complete but for what depends on the moment it is sent.

    Attributes:
        name: The campaign's own name, which recipients do not see.
        subject: Subject line; ``${NAME}`` is replaced for each recipient. The platform's
            notes recommend at most 150 characters.
        sender: Whom it comes from.
        html: The body, a full HTML document; ``${NAME}`` as above.
        lists: Codes of the lists to send to; may stay empty until it is sent.
        exclude_lists: Codes of the lists whose members are left out.
        schedule: When to send.
        ga: Google Analytics, or None for off.
        footer: Language of the footer.

    Raises:
        InvalidRequest: with everything that is wrong, at once.

    Source: POST /v1/campaign/normal/submit; documented.
    """

    plain_kind: ClassVar[str] = "campaign"

    subject: str
    sender: Sender
    html: str = attrs.field(repr=show_length)

    def _problems(self) -> Iterator[Problem]:
        yield from super()._problems()
        yield from problems_of_line("subject", self.subject)
        yield from problems_of_sender("sender", self.sender)
        yield from problems_of_html("html", self.html)

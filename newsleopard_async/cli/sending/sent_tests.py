"""Sends a test of a campaign, or of both versions of an A/B test, before the question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import attrs

from newsleopard_async import Campaign, NewsLeopard, NewsLeopardError, workflows
from newsleopard_async.cli.display.terminal import safe_text
from newsleopard_async.cli.session import Session
from newsleopard_async.cli.translation import ngettext
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.models import Mailing

__all__ = ["send_tests"]


def send_tests(session: Session, campaign: Mailing, addresses: Sequence[str]) -> None:
    """Send a test of each version to a few addresses.

    Raises: as `workflows.send_test`, with a note that only a test was possibly sent.
    """
    try:
        for version in _versions_of(campaign):
            session.run(partial(_send, session, version, addresses))
    except (KeyboardInterrupt, NewsLeopardError) as error:
        error.add_note(_("A test was possibly sent; the campaign was not."))
        raise
    text = ngettext(
        "A test was sent to {count} address.",
        "A test was sent to {count} addresses.",
        len(addresses),
    )
    if not session.as_json:
        session.errors.print(safe_text(text.format(count=len(addresses))))


async def _send(
    session: Session, version: Campaign, addresses: Sequence[str], nl: NewsLeopard
) -> None:
    with session.pipeline_display() as display:
        await workflows.send_test(nl, version, to=addresses, progress=display)


def _versions_of(campaign: Mailing) -> Iterator[Campaign]:
    """Yield a campaign itself, or each version of an A/B test as a campaign."""
    if isinstance(campaign, Campaign):
        yield campaign
        return
    for letter in "ab":
        fields: dict[str, Any] = {
            field.name: getattr(
                campaign, field.name, getattr(campaign, f"{field.name}_{letter}", None)
            )
            for field in attrs.fields(Campaign)
        }
        yield attrs.evolve(Campaign(**fields), name=f"{campaign.name} {letter.upper()}")

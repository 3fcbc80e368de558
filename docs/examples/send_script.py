"""Send a campaign from a script; start it again as often as you like.

python send_script.py
"""

import sys
from pathlib import Path

import anyio

from newsleopard_async import (
    Campaign,
    NewsLeopard,
    NewsLeopardError,
    OutcomeUnknown,
    Sender,
    workflows,
)

SEND_KEY = "script-2027"
"""The name of this send. A second start with the same key sends nothing twice."""


async def send(campaign: Campaign) -> None:
    """Import the contacts, and send the campaign to them."""
    async with NewsLeopard() as nl:
        outcome = await workflows.send_campaign(
            nl,
            campaign,
            contacts=Path("members.csv"),
            list_name="週年慶會員",
            send_key=SEND_KEY,
            progress=show,
        )
    print(f"sent as {outcome.campaign_sn}")


def show(event: workflows.Event) -> None:
    """Print a line for each step that begins and ends."""
    print(f"{event.number} of {event.steps}: {event.step} {event.state}")


def main() -> int:
    """Return the exit status: 0 if the campaign is sent."""
    try:
        campaign = Campaign(
            name="週年慶",
            subject="${NAME}，您的專屬優惠",
            sender=Sender("電子豹", "service@example.com"),
            html=Path("anniversary.html").read_text(encoding="utf-8"),
        )
        anyio.run(send, campaign)
    except OutcomeUnknown as error:
        print(f"{error}\nDo not change the key. Start again after {error.look_again_at}.")
        return 75
    except NewsLeopardError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

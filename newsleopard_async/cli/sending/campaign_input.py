"""The options by which a command gets a campaign: a file, and values that replace its fields."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import click

from newsleopard_async.cli.completion_values import complete_file
from newsleopard_async.cli.sending.campaign_file import build_campaign, read_html
from newsleopard_async.cli.sending.friendly_times import parse_instant
from newsleopard_async.cli.translation import translated as _
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models import Mailing, SendAt

__all__ = ["CampaignInput", "campaign_options", "parsed_by"]

T = TypeVar("T")
Command = Callable[..., Any]


@attrs.frozen(kw_only=True)
class CampaignInput:
    """A campaign as it is on the command line.

    Attributes:
        file: The campaign file; None without one.
        name: Its name; this and the next replace fields of the file.
        subject: The subject line.
        sender: The sender, as ``name <address>``.
        html: The path of the body; ``-`` is the standard input.
        preheader: The preview text.
        footer: ``chinese`` or ``english``.
        ga_campaign: The campaign for Google Analytics.
        ga_content: The content for Google Analytics.
        at: The time of sending.
        lists: Codes of lists.
        exclude_lists: Codes of lists that are left out.
    """

    file: Path | None
    name: str | None
    subject: str | None
    sender: str | None
    html: str | None
    preheader: str | None
    footer: str | None
    ga_campaign: str | None
    ga_content: str | None
    at: Any = None
    lists: tuple[str, ...] = ()
    exclude_lists: tuple[str, ...] = ()

    def refuse_contradictions(self, contacts: Path | None) -> None:
        """Refuse a command line that names no campaign, or uses the standard input twice.

        Raises:
            click.UsageError: there is neither a file nor a field, or body and contacts are ``-``.
        """
        if not any(attrs.astuple(self, recurse=False)):
            raise click.UsageError(
                _("name a CAMPAIGN file, or give --name, --subject, --sender and --html")
            )
        if self.html == "-" and str(contacts) == "-":
            raise click.UsageError(_("only one of --html and --contacts can be the standard input"))

    def build(self, default_sender: str | None = None) -> Mailing:
        """Build the campaign or the A/B test.

        Args:
            default_sender: The sender of the profile.

        Raises:
            InvalidRequest: it is not complete, or not valid.
        """
        schedule = None if self.at is None else SendAt(self.at).to_dict()
        options = {
            "name": self.name,
            "subject": self.subject,
            "sender": self.sender,
            "html": self._html(),
            "preheader": self.preheader,
            "footer": self.footer,
            "ga": self._ga(),
            "schedule": schedule,
            "lists": list(self.lists) or None,
            "exclude_lists": list(self.exclude_lists) or None,
        }
        return build_campaign(self.file, options, sender=default_sender)

    def _html(self) -> str | None:
        if self.html is None:
            return None
        try:
            if self.html == "-" and sys.stdin is None:
                message = _("the standard input is closed; name a file instead of -")
                raise InvalidRequest.of("html", "file", message)
            if self.html == "-":
                return sys.stdin.buffer.read().decode("utf-8-sig")
            return read_html(Path(self.html))
        except UnicodeDecodeError:
            message = _("the standard input is not UTF-8")
        except ValueError as error:
            message = str(error)
        raise InvalidRequest.of("html", "file", message)

    def _ga(self) -> dict[str, str] | None:
        given = {"campaign": self.ga_campaign, "content": self.ga_content}
        if not any(given.values()):
            return None
        return {name: value or "" for name, value in given.items()}


def parsed_by(
    parse: Callable[[str], T],
) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """Return a callback that parses an option; a ValueError is a message about the option."""

    def parsed(_: click.Context, __: click.Parameter, text: str | None) -> T | None:
        try:
            return None if text is None else parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return parsed


_OPTIONS: Final = (
    click.argument(
        "file",
        metavar="[CAMPAIGN]",
        required=False,
        type=click.Path(path_type=Path, dir_okay=False),
    ),
    click.option("--name", help="The name of the campaign, which recipients do not see."),
    click.option("--subject", help="The subject line; ${NAME} is replaced for each recipient."),
    click.option(
        "--sender",
        "--from",
        "sender",
        metavar="SENDER",
        help="The sender: '電子豹 <service@example.com>'. The address must be verified.",
    ),
    click.option(
        "--html",
        metavar="FILE",
        shell_complete=complete_file,
        help="The body of the mail; - is the standard input.",
    ),
    click.option("--preheader", help="The preview text, which mail programs show."),
    click.option(
        "--footer",
        type=click.Choice(["chinese", "english"]),
        help="The language of the footer with the unsubscribe link.",
    ),
    click.option("--ga-campaign", metavar="TEXT", help="The utm_campaign of Google Analytics."),
    click.option("--ga-content", metavar="TEXT", help="The utm_content of Google Analytics."),
    click.option(
        "--at",
        metavar="TIME",
        callback=parsed_by(parse_instant),
        help="When to send: '2027-01-05 10:00 Asia/Taipei'. Without it, the campaign is sent at "
        "once.",
    ),
)

_LISTS: Final = (
    click.option(
        "--list",
        "lists",
        multiple=True,
        metavar="SN",
        help="The code of a list to send to; repeatable. With --contacts and without --list-name, "
        "the list to import into.",
    ),
    click.option(
        "--exclude-list",
        "exclude_lists",
        multiple=True,
        metavar="SN",
        help="The code of a list whose members get no mail; repeatable.",
    ),
)


def campaign_options(*, has_lists: bool = False) -> Callable[[Command], Command]:
    """Give a command the campaign file and the options; it receives them as ``campaign``."""
    options = (*_OPTIONS, *_LISTS) if has_lists else _OPTIONS
    names = [each.name for each in attrs.fields(CampaignInput)]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def bundled(**given: Any) -> Any:
            mine = {name: given.pop(name) for name in names if name in given}
            return command(campaign=CampaignInput(**mine), **given)

        for option in reversed(options):
            bundled = option(bundled)
        return bundled

    return decorate

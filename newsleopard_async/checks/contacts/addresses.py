"""What a mail address looks like: the pattern of browsers, and email-validator's on request."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from newsleopard_async.errors import ConfigurationError

__all__ = [
    "MOST_ADDRESS_CHARS",
    "DeepCheck",
    "is_address",
    "load_deep_check",
    "matches_public_address",
]

MOST_ADDRESS_CHARS: Final = 254
"""RFC 5321, 4.5.3.1.3: a path of 256 octets, angle brackets and all."""

# https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address, and at most 64
# characters before the @ (RFC 5321, 4.5.3.1.1).
_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_BEGINNING: Final = rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}"
_ADDRESS: Final = re.compile(rf"{_BEGINNING}(?:\.{_LABEL})*")
# With a dot in the domain, and more than one letter after the last: no mail goes to a top-level
# domain itself, and none of those has a single letter.
_PUBLIC_ADDRESS: Final = re.compile(rf"{_BEGINNING}(?:\.{_LABEL})+(?<=[^.].)")

DeepCheck = Callable[[str], str | None]
"""Returns why an address is none, in words that do not show it, or None."""

_RESERVED_DOMAIN: Final = (
    "The part after the @-sign is a special-use or reserved name that cannot be used with email."
)
# The only texts of email-validator that are shown: others quote the address.
_REASONS: Final = frozenset(
    {
        "An email address cannot start with a period.",
        "An email address cannot have a period immediately before the @-sign.",
        "An email address cannot have two periods in a row.",
        "The part after the @-sign is not valid. It should have a period.",
        "The part after the @-sign is not valid. It is not within a valid top-level domain.",
        _RESERVED_DOMAIN,
    }
)
_OTHER_REASON: Final = "It does not follow the standards."

matches_public_address = _PUBLIC_ADDRESS.fullmatch
"""The pattern of those that exist outside of one network, without the length of the whole."""


def is_address(text: str) -> bool:
    """Tell whether a text is a bare address, as browsers judge it, of a length that travels."""
    return len(text) <= MOST_ADDRESS_CHARS and _ADDRESS.fullmatch(text) is not None


def load_deep_check() -> DeepCheck:
    """Return the check by email-validator, which asks no server.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        from email_validator import EmailNotValidError, validate_email
    except ImportError:
        raise ConfigurationError(
            "deep=True needs email-validator: pip install 'newsleopard-async[check]'"
        ) from None

    def check(address: str) -> str | None:
        try:
            validate_email(address, check_deliverability=False)
        except EmailNotValidError as error:
            reason = str(error)
            return reason if reason in _REASONS else _OTHER_REASON
        return None

    return check

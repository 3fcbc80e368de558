"""Who may use the page and the control API: nobody whom a web page sends."""

from __future__ import annotations

from typing import Final, Literal, get_args

import attrs

__all__ = ["ControlAccess", "ControlOptions"]

ControlAccess = Literal["loopback", "network", "off"]
"""From where they may be used: this machine alone, anywhere with the token, or nowhere."""

LEAST_TOKEN_CHARS: Final = 16
"""Chosen: nobody guesses so many characters over a network."""


@attrs.frozen(kw_only=True)
class ControlOptions:
    """Who may use the page and the control API of a server.

    Attributes:
        access: ``loopback`` for this machine alone; ``network`` for others, too, who need the
            token; ``off`` for nobody.
        token: What others show, as ``Authorization: Bearer …`` or once as ``/?token=…``; at least
            16 characters.
        origins: Origins, such as ``https://app.example``, whose pages may use the control API.

    Raises:
        ValueError: an option is wrong, or ``network`` has no token.
    """

    access: ControlAccess = "loopback"
    token: str | None = attrs.field(default=None, repr=False)
    origins: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        """Refuse what would let in the wrong people."""
        if self.access not in get_args(ControlAccess):
            raise ValueError(
                f"access: {self.access!r} is none of {', '.join(get_args(ControlAccess))}"
            )
        if self.access == "network" and self.token is None:
            raise ValueError("token: access from the network needs one")
        if self.token is not None and not _is_good(self.token):
            raise ValueError(
                f"token: it needs at least {LEAST_TOKEN_CHARS} characters of ASCII without blanks"
            )


def _is_good(token: str) -> bool:
    return (
        len(token) >= LEAST_TOKEN_CHARS
        and token.isascii()
        and token.isprintable()
        and (" " not in token)
    )

"""The rules of the column EMAIL: an address in each row, and each address once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final, Literal

import attrs

from newsleopard_async.contacts.csv.batch import Column, all_cells
from newsleopard_async.contacts.rules.cells import LineTally
from newsleopard_async.errors import ConfigurationError
from newsleopard_async.models.damage import INVISIBLE, without_invisible
from newsleopard_async.models.findings import Finding, counted, either

__all__ = [
    "MOST_ADDRESS_CHARS",
    "Addresses",
    "CheckedAddresses",
    "DeepCheck",
    "Kept",
    "addresses_in",
    "are_addresses",
    "is_address",
    "key_of",
    "load_deep_check",
    "matches_public_address",
]

_COLUMN: Final = "EMAIL"
_LONGEST_KEPT_BYTES: Final = 31

MOST_ADDRESS_CHARS: Final = 254
"""RFC 5321, 4.5.3.1.3: a path of 256 octets, angle brackets and all."""

# https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address, and at most 64
# characters before the @ (RFC 5321, 4.5.3.1.1).
# Nothing is gone over twice, which takes two thirds of the time of another pattern, and 3 % off
# the whole check.
_LABEL: Final = r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}+(?<!-)"
_BEGINNING: Final = rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}"
_ADDRESS: Final = re.compile(rf"{_BEGINNING}(?:\.{_LABEL})*")
# With a dot in the domain, and more than one letter after the last: no mail goes to a top-level
# domain itself, and none of those has a single letter.
_PUBLIC_ADDRESS: Final = re.compile(rf"{_BEGINNING}(?:\.{_LABEL})+(?<=[^.].)")
_ALL_PUBLIC: Final = all_cells(_PUBLIC_ADDRESS.pattern)

Kept = Literal["first", "last"] | None
"""Which row of each address goes out; None is all of them."""

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

matches_public_address: Final = _PUBLIC_ADDRESS.fullmatch
"""The pattern of those that exist outside of one network, without the length of the whole."""

_UNSEEN: Final = re.compile(
    # With the controls, and the blanks of other scripts, which look like none or like a usual one.
    INVISIBLE.pattern + "|[\x01-\x1f\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
)


@attrs.frozen
class CheckedAddresses:
    """What is wrong with some addresses, by their index.

    Attributes:
        bad: The rule that each bad one breaks.
        invisible: The bad ones with a character in them that is not seen.
        repeated: Those that an earlier row has; or those that are dropped, since a later row has
            them.
        doubtful: Those that nobody on the internet has, and that may be good in one network.
    """

    bad: dict[int, str] = attrs.field(factory=dict)
    invisible: list[int] = attrs.field(factory=list)
    repeated: list[int] = attrs.field(factory=list)
    doubtful: list[int] = attrs.field(factory=list)


class Addresses:
    """Remembers every address, short ones as they are and long ones by a strong hash.

    A million addresses take about 100 MiB; none is ever taken for another.

    Args:
        deep: A further check of what has the form of an address.
        left_out: Whether the bad rows are left out.
        kept: Which row of an address stays, if its other rows are dropped.
        repeats: As `repeats` gave them at the first look; needed to keep the last row.

    Attributes:
        repeats: How many rows each address has that is repeated, by its key.
    """

    def __init__(
        self,
        deep: DeepCheck | None,
        *,
        left_out: bool,
        kept: Kept = None,
        repeats: Mapping[bytes, int] | None = None,
    ) -> None:
        self.repeats: dict[bytes, int] = {}
        self._deep = deep
        self._left_out = left_out
        self._kept = kept
        self._to_come = dict(repeats or {})
        self._seen: set[bytes] = set()
        self._missing = LineTally()
        self._invalid = LineTally()
        self._invisible = LineTally()
        self._doubtful = LineTally()
        self._repeated = LineTally()
        self._reasons: dict[str, int] = {}

    @property
    def unique(self) -> int:
        """How many different addresses there were."""
        return len(self._seen)

    def check(
        self, cells: Column, lines: Sequence[int], *, ignored: Collection[int] = ()
    ) -> CheckedAddresses:
        """Judge the next addresses, which have no blanks around them.

        Args:
            ignored: Indices of rows that do not go out, so that a later one repeats nothing.
        """
        if self._deep is None and not ignored and self._take_all(cells):
            return CheckedAddresses()
        found = CheckedAddresses()
        for index, cell in enumerate(cells):
            self._check_one(found, index, cell, is_ignored=index in ignored)
        self._count(found, lines)
        return found

    def _take_all(self, cells: Column) -> bool:
        """Take addresses of which each is good and new, or none of them."""
        if not cells.are_all(_ALL_PUBLIC):
            return False
        keys = cells.joined[1:].lower().encode().split(b"\n")
        longest = max(map(len, keys))
        if longest > MOST_ADDRESS_CHARS:
            return False
        if longest > _LONGEST_KEPT_BYTES:
            keys = list(map(_shortened, keys))
        is_known = not self._seen.isdisjoint(keys)
        if is_known or (self._to_come and not self._to_come.keys().isdisjoint(keys)):
            return False
        unique = len(self._seen) + len(keys)
        self._seen.update(keys)
        if len(self._seen) < unique:
            # Some are the same as each other.
            self._seen.difference_update(keys)
            return False
        return True

    def _check_one(
        self, found: CheckedAddresses, index: int, address: str, *, is_ignored: bool
    ) -> None:
        if not address:
            found.bad[index] = "missing-email"
        elif not is_address(address) or self._is_refused(address):
            found.bad[index] = "invalid-email"
            if _UNSEEN.search(address):
                found.invisible.append(index)
        elif not is_ignored:
            key = key_of(address)
            if self._to_come.get(key, 1) > 1:
                # A later row takes its place.
                self._to_come[key] -= 1
                found.repeated.append(index)
                return
            is_repeated = key in self._seen
            if is_repeated:
                found.repeated.append(index)
                self.repeats[key] = self.repeats.get(key, 1) + 1
            self._seen.add(key)
            if (
                not (is_repeated and self._kept == "first")
                and matches_public_address(address) is None
            ):
                found.doubtful.append(index)

    def _is_refused(self, address: str) -> bool:
        reason = None if self._deep is None else self._deep(address)
        if reason is None:
            return False
        self._reasons[reason] = self._reasons.get(reason, 0) + 1
        return True

    def _count(self, found: CheckedAddresses, lines: Sequence[int]) -> None:
        for rule, tally in (("missing-email", self._missing), ("invalid-email", self._invalid)):
            places = [lines[index] for index, broken in found.bad.items() if broken == rule]
            tally.add(len(places), places)
        places = [lines[index] for index in found.invisible]
        self._invisible.add(len(places), places)
        self._repeated.add(len(found.repeated), (lines[index] for index in found.repeated))
        self._doubtful.add(len(found.doubtful), (lines[index] for index in found.doubtful))

    def findings(self) -> Iterator[Finding]:
        """Yield what was found."""
        if self._missing.count:
            yield self._missing.error(
                "missing-email",
                "without an address",
                "fill in EMAIL",
                left_out=self._left_out,
                column=_COLUMN,
            )
        if self._invalid.count:
            yield self._finding_of_invalid()
        if self._doubtful.count:
            yield self._finding_of_doubtful()
        if self._repeated.count:
            yield self._finding_of_repeated()

    def _finding_of_invalid(self) -> Finding:
        finding = self._invalid.error(
            "invalid-email",
            "whose EMAIL is not an address",
            "write one as name@example.com and nothing else, in ASCII, at most 64 characters "
            f"before the @ and {MOST_ADDRESS_CHARS} in all",
            left_out=self._left_out,
            column=_COLUMN,
        )
        reasons = "".join(
            f"; email-validator on {counted(count, 'row')}: {reason.removesuffix('.')}"
            for reason, count in self._reasons.items()
        )
        if self._invisible.count:
            reasons += (
                f"; {counted(self._invisible.count, 'row')} ({self._invisible.where}) with an "
                "invisible character or an odd blank inside the address: type it anew"
            )
        return attrs.evolve(finding, message=finding.message + reasons)

    def _finding_of_doubtful(self) -> Finding:
        tally = self._doubtful
        return tally.finding(
            "warning",
            "invalid-email",
            f"has {counted(tally.count, 'row')} ({tally.where}) with an address that nobody on the "
            "internet has, since its domain has no dot, or a single letter after the last; look "
            f"whether {either(tally.count, 'it was', 'they were')} cut off",
            column=_COLUMN,
        )

    def _finding_of_repeated(self) -> Finding:
        tally = self._repeated
        other = "a later" if self._kept == "last" else "an earlier"
        what = (
            f"{counted(tally.count, 'row')} whose address {other} one has, but for case and "
            f"spaces ({tally.where})"
        )
        if self._kept is None:
            return tally.finding(
                "warning",
                "duplicate-email",
                f"has {what}; keep one row of each address, or let fix='drop-duplicates' keep the "
                "last, as the platform is assumed to do; fix='drop-later-duplicates' keeps the "
                "first",
                column=_COLUMN,
            )
        though = "though" if self._kept == "first" else "as"
        return tally.finding(
            "note",
            "duplicate-email",
            f"had {what}, dropped; the {self._kept} of each stays, {though} the platform is "
            "assumed to keep the last",
            column=_COLUMN,
        )


def key_of(address: str) -> bytes:
    """Return what an address is told from others by, without regard to case."""
    # A codec such as UTF-7 may give half a surrogate pair.
    return _shortened(address.lower().encode("utf-8", "surrogatepass"))


def _shortened(key: bytes) -> bytes:
    """Keep memory in bounds by a hash that no two addresses share in practice."""
    return key if len(key) <= _LONGEST_KEPT_BYTES else blake2b(key, digest_size=15).digest()


def is_address(text: str) -> bool:
    """Tell whether a text is a bare address, as browsers judge it, of a length that travels."""
    return len(text) <= MOST_ADDRESS_CHARS and _ADDRESS.fullmatch(text) is not None


def are_addresses(cells: Column) -> bool:
    """Tell whether each cell is an address and nothing else, if that is seen at once."""
    return cells.are_all(_ALL_PUBLIC) and "|" not in cells.joined


def addresses_in(text: str) -> Iterator[str]:
    """Yield each address that a text holds, and each that it may be meant to hold.

    As in ``Name <name@example.com>``, in ``mailto:name@example.com``, in several in a row, in one
    of full-width letters or with an invisible character inside.
    """
    if is_address(text) and "|" not in text:
        yield text
        return
    for match in _ADDRESS.finditer(unicodedata.normalize("NFKC", without_invisible(text))):
        yield match[0]
        # Both may be part of an address, and nearly always stand before one.
        yield match[0].rpartition("|")[2].lstrip("'")


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

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
"""Chosen: most addresses are shorter; the memory of a million addresses is given at `Addresses`."""

MOST_ADDRESS_CHARS: Final = 254
"""Source: RFC 5321, 4.5.3.1.3, a path of 256 octets including the angle brackets."""

# https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address, and at most 64
# characters before the @ (RFC 5321, 4.5.3.1.1).
# No character is matched twice. Measured: this takes two thirds of the time of another pattern,
# and makes the whole check 3 % faster.
_LABEL: Final = r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}+(?<!-)"
_BEGINNING: Final = rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}"
_ADDRESS: Final = re.compile(rf"{_BEGINNING}(?:\.{_LABEL})*")
# With a dot in the domain, and more than one letter after the last dot: a top-level domain has no
# addresses itself, and has more than one letter.
_PUBLIC_ADDRESS: Final = re.compile(rf"{_BEGINNING}(?:\.{_LABEL})+(?<=[^.].)")
_ALL_PUBLIC: Final = all_cells(_PUBLIC_ADDRESS.pattern)

Kept = Literal["first", "last"] | None
"""Which row of each address is kept; None keeps all of them."""

DeepCheck = Callable[[str], str | None]
"""Returns why an address is invalid, without showing it, or None."""

_RESERVED_DOMAIN: Final = (
    "The part after the @-sign is a special-use or reserved name that cannot be used with email."
)

# Only these texts of email-validator are shown; others quote the address.
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
"""Matches addresses that can exist on the internet; it does not check the whole length."""

_UNSEEN: Final = re.compile(
    # Includes controls, and blanks of other scripts, which look like nothing or a usual blank.
    INVISIBLE.pattern + "|[\x01-\x1f\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
)


@attrs.frozen
class CheckedAddresses:
    """The problems of some addresses, by their index.

    Attributes:
        bad: The rule that each bad address breaks.
        invisible: The bad addresses that contain an invisible character.
        repeated: The addresses that an earlier row has; or the addresses that are dropped, because
            a later row has them.
        doubtful: The addresses that cannot exist on the internet, only in a local network.
    """

    bad: dict[int, str] = attrs.field(factory=dict)
    invisible: list[int] = attrs.field(factory=list)
    repeated: list[int] = attrs.field(factory=list)
    doubtful: list[int] = attrs.field(factory=list)


class Addresses:
    """Stores every address: short addresses as they are, long ones as a strong hash.

    A million addresses take about 100 MiB. Two addresses never have the same key in practice.

    Args:
        deep: A further check of text that has the form of an address.
        left_out: Whether the bad rows are left out.
        kept: Which row of an address is kept, if its other rows are dropped.
        repeats: The `repeats` of the first reading; needed to keep the last row.

    Attributes:
        repeats: The number of rows of each repeated address, by its key.
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
        """The number of different addresses."""
        return len(self._seen)

    def check(
        self, cells: Column, lines: Sequence[int], *, ignored: Collection[int] = ()
    ) -> CheckedAddresses:
        """Check the next addresses, which must have no blanks around them.

        Args:
            ignored: The indices of rows that are left out, so a later row does not repeat them.
        """
        if self._deep is None and not ignored and self._take_all(cells):
            return CheckedAddresses()
        found = CheckedAddresses()
        for index, cell in enumerate(cells):
            self._check_one(found, index, cell, is_ignored=index in ignored)
        self._count(found, lines)
        return found

    def _take_all(self, cells: Column) -> bool:
        """Add the addresses if each of them is valid and new; otherwise add none."""
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
            # Some of them are equal.
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
                # A later row of the address is kept.
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
        """Yield the findings."""
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
            "write only the address, like name@example.com, in ASCII, with at most 64 characters "
            f"before the @ and {MOST_ADDRESS_CHARS} in total",
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
                "invisible character or an unusual blank inside the address: type it again"
            )
        return attrs.evolve(finding, message=finding.message + reasons)

    def _finding_of_doubtful(self) -> Finding:
        tally = self._doubtful
        return tally.finding(
            "warning",
            "invalid-email",
            f"has {counted(tally.count, 'row')} ({tally.where}) with an address that cannot exist "
            "on the internet, because its domain has no dot, or only one letter after the last "
            f"dot; check whether {either(tally.count, 'it was', 'they were')} cut off",
            column=_COLUMN,
        )

    def _finding_of_repeated(self) -> Finding:
        tally = self._repeated
        other = "a later" if self._kept == "last" else "an earlier"
        what = (
            f"{counted(tally.count, 'row')} with an address that {other} row has, ignoring case "
            f"and spaces ({tally.where})"
        )
        if self._kept is None:
            return tally.finding(
                "warning",
                "duplicate-email",
                f"has {what}; keep one row of each address, or let fix='drop-duplicates' keep the "
                "last, as the platform probably does; fix='drop-later-duplicates' keeps the first",
                column=_COLUMN,
            )
        if self._kept == "first":
            kept, reason = "the first row", "though the platform probably keeps the last"
        else:
            kept, reason = "the last row", "as the platform probably does"
        return tally.finding(
            "note",
            "duplicate-email",
            f"had {what}, which fix= dropped; it kept {kept} of each address, {reason}",
            column=_COLUMN,
        )


def key_of(address: str) -> bytes:
    """Return the key of an address; case makes no difference."""
    # A codec such as UTF-7 can decode half of a surrogate pair.
    return _shortened(address.lower().encode("utf-8", "surrogatepass"))


def _shortened(key: bytes) -> bytes:
    """Limit the memory by a hash that no two addresses share in practice."""
    return key if len(key) <= _LONGEST_KEPT_BYTES else blake2b(key, digest_size=15).digest()


def is_address(text: str) -> bool:
    """Return whether a text is only an address, by the rules of browsers and SMTP's length."""
    return len(text) <= MOST_ADDRESS_CHARS and _ADDRESS.fullmatch(text) is not None


def are_addresses(cells: Column) -> bool:
    """Return whether each cell is only an address; False if one search does not show it."""
    return cells.are_all(_ALL_PUBLIC) and "|" not in cells.joined


def addresses_in(text: str) -> Iterator[str]:
    """Yield each address that a text contains or is probably meant to contain.

    For example ``Name <name@example.com>``, ``mailto:name@example.com``, several addresses, an
    address in full-width letters or with an invisible character inside.
    """
    if is_address(text) and "|" not in text:
        yield text
        return
    for match in _ADDRESS.finditer(unicodedata.normalize("NFKC", without_invisible(text))):
        yield match[0]
        # Both characters are allowed in an address, but nearly always are a separator or a mark.
        yield match[0].rpartition("|")[2].lstrip("'")


def load_deep_check() -> DeepCheck:
    """Return the check by email-validator, which sends no requests.

    Raises:
        ConfigurationError: email-validator is not installed.
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

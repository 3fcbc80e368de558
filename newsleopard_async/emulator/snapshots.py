"""The state of an emulator put aside and put back, in memory."""

from __future__ import annotations

from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.account_state import (
    AccountState,
    capture_state,
    restore_state,
)

__all__ = ["Snapshots"]


class Snapshots:
    """States by name; each holds everything but the clock.

    That is also the switches, the faults, the log of requests and their counts, the limits, and
    the source of codes: after a restore, the same calls get the same answers. The keys, the
    addresses, the latency and the webhooks' transport belong to the emulator, and stay.

    The clock goes on. If it has gone on since the snapshot, what was due meanwhile happens at
    once after the restore, each thing at its own instant. Hold the clock if this is not wanted.
    """

    _account: Account
    _kept: dict[str, AccountState]

    def reset(self) -> None:
        """Be as it was made: empty, with its switches, balance and seed, and nothing to go wrong.

        The clock, the addresses and the snapshots stay. What was handed out before, such as a
        campaign or the outbox, stays as it was.
        """
        self._account.reset()

    @property
    def snapshots(self) -> tuple[str, ...]:
        """The names of the states that were put aside, in order."""
        return tuple(self._kept)

    def snapshot(self, name: str) -> None:
        """Put the state aside; one of the same name is replaced.

        Raises:
            ValueError: the name is empty.
        """
        if not name:
            raise ValueError("a snapshot needs a name")
        kept = capture_state(self._account)
        self._kept.pop(name, None)
        self._kept[name] = kept

    def restore(self, name: str) -> None:
        """Put a state back, as often as you like.

        Raises:
            LookupError: there is no such snapshot.
        """
        restore_state(self._account, self._named(name))

    def forget_snapshot(self, name: str) -> None:
        """Give up a state that was put aside.

        Raises:
            LookupError: there is no such snapshot.
        """
        self._named(name)
        self._kept.pop(name, None)

    def _named(self, name: str) -> AccountState:
        found = self._kept.get(name)
        if found is None:
            there = f"there are {', '.join(map(repr, self._kept))}" if self._kept else "take one"
            raise LookupError(f"there is no snapshot {name!r}; {there}")
        return found

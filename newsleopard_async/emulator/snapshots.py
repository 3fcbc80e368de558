"""Snapshots of an emulator's state, in memory."""

from __future__ import annotations

from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.account_state import (
    AccountState,
    capture_state,
    restore_state,
)

__all__ = ["Snapshots"]


class Snapshots:
    """Snapshots by name; each contains the whole state except the clock.

    It includes the switches, the faults, the log of requests and their counts, the limits, and
    the source of codes, so the same calls get the same answers after a restore. The keys, the
    URLs, the latency and the webhooks' transport belong to the emulator and do not change.

    The clock continues. After a restore, each change that became due since the snapshot happens
    immediately, with its own instant. Hold the clock to prevent this.
    """

    _account: Account
    _kept: dict[str, AccountState]

    def reset(self) -> None:
        """Reset the emulator to its initial switches, balance and seed, without data or faults.

        The clock, the URLs and the snapshots stay. Objects that were returned before, such as a
        campaign or the outbox, do not change.
        """
        self._account.reset()

    @property
    def snapshots(self) -> tuple[str, ...]:
        """The names of the snapshots, in order."""
        return tuple(self._kept)

    def snapshot(self, name: str) -> None:
        """Save the state as a snapshot, and replace one of the same name.

        Raises:
            ValueError: the name is empty.
        """
        if not name:
            raise ValueError("name: must not be empty")
        kept = capture_state(self._account)
        self._kept.pop(name, None)
        self._kept[name] = kept

    def restore(self, name: str) -> None:
        """Restore the state of a snapshot, which can be restored again.

        Raises:
            LookupError: the snapshot does not exist.
        """
        restore_state(self._account, self._named(name))

    def forget_snapshot(self, name: str) -> None:
        """Delete a snapshot.

        Raises:
            LookupError: the snapshot does not exist.
        """
        self._named(name)
        self._kept.pop(name, None)

    def _named(self, name: str) -> AccountState:
        found = self._kept.get(name)
        if found is None:
            known = (
                f"choose one of {', '.join(map(repr, self._kept))}" if self._kept else "take one"
            )
            raise LookupError(f"the snapshot {name!r} does not exist; {known}")
        return found

"""The guard of a send: only its last attempt stores the intent to submit.

The store of the runs compares revisions, so at most one of two runs stores an intent. It does not
decide which run. An attempt must not store it after its send was replaced, cancelled or taken over:
a wrong campaign would be sent. So one transaction locks the row of the ledger, checks the attempt
and stores the intent. All other saves pass, because the outcome of a request is true for any
attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from newsleopard_async.aio import Listing
from newsleopard_async.durable.engine import SendAttempt
from newsleopard_async.durable.ledger import is_last
from newsleopard_async.errors import DeadlineExceeded, InUse
from newsleopard_async.stores.database import Database
from newsleopard_async.stores.protocol import Kept
from newsleopard_async.stores.sql import SqlStore, saving
from newsleopard_async.workflows.run_record import in_doubt, read_run_record

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["GuardedStore"]


@attrs.frozen
class GuardedStore:
    """The store of the runs, as one attempt sees it.

    Attributes:
        store: The store of the runs.
        database: The database of the store and the ledger.
        attempt: The attempt.
        not_after: After this time no intent is stored, because the import possibly took that long.
    """

    store: SqlStore
    database: Database
    attempt: SendAttempt
    not_after: datetime | None = None

    async def load(self, key: str) -> Kept | None:
        """Return the record that is stored under this key, without its account; or None.

        The ledger has the name of the account, and the API key of an account can change.

        Raises:
            InvalidRequest: the record is damaged, or was written by a newer version.
        """
        kept = await self.store.load(key)
        if kept is None:
            return None
        return Kept(attrs.evolve(read_run_record(kept.data), account=None).to_dict(), kept.revision)

    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Store the data if no other run has saved since; an intent only for the last attempt.

        Raises:
            InUse: another run has saved under this key since; or this is not the last attempt.
            DeadlineExceeded: the time of an intent is after ``not_after``.
        """
        records = read_run_record(data).records
        intent = in_doubt(records)
        if intent is None:
            return await self.store.save(key, data, revision)
        if self.not_after is not None and records[intent].at > self.not_after:
            raise DeadlineExceeded(
                f"the send was not ready before {self.not_after}; it sends nothing"
            )
        work, new = saving(key, data, revision)
        if not await self.database.run(partial(_as_last, self.attempt, work)):
            raise InUse(
                f"another attempt at the send {key!r} has taken over, or it was cancelled or "
                "replaced; this one sends nothing"
            )
        return new

    def keys(self) -> Listing[str]:
        """List the keys."""
        return self.store.keys()


def _as_last(
    attempt: SendAttempt, work: Callable[[sa.Connection], bool], connection: sa.Connection
) -> bool:
    return is_last(attempt, connection) and work(connection)

"""The guard of a send: only its last attempt stores the intent to submit.

The store of the runs compares revisions, so that of two runs at most one stores an intent. That
does not say which. An attempt whose send was given another campaign meanwhile, was cancelled, or
was taken over must not be the one. So the intent is stored in one transaction with a look at the
ledger, which the row is locked for. All else that a run stores passes: what became of a request is
true, whichever attempt sent it.
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
        store: The store.
        database: Where it is, and the ledger.
        attempt: The attempt.
        not_after: After this time no intent is stored; an import may have taken until then.
    """

    store: SqlStore
    database: Database
    attempt: SendAttempt
    not_after: datetime | None = None

    async def load(self, key: str) -> Kept | None:
        """Return what is kept under this key, or None; not by which API key it was begun.

        The ledger says whose a send is, by name, and the key of an account may be changed.

        Raises:
            InvalidRequest: it is damaged, or of a newer version.
        """
        kept = await self.store.load(key)
        if kept is None:
            return None
        return Kept(attrs.evolve(read_run_record(kept.data), account=None).to_dict(), kept.revision)

    async def save(self, key: str, data: Mapping[str, Any], revision: str | None) -> str:
        """Keep the data if nothing was saved since; an intent to submit, of the last attempt only.

        Raises:
            InUse: another run has saved under this key since; or this is not the last attempt.
            DeadlineExceeded: it is too late for an intent.
        """
        records = read_run_record(data).records
        intent = in_doubt(records)
        if intent is None:
            return await self.store.save(key, data, revision)
        if self.not_after is not None and records[intent].at > self.not_after:
            raise DeadlineExceeded(f"it was not ready before {self.not_after}, and sends nothing")
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

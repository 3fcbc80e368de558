"""Withdraw a run before it has submitted: nothing will be sent under its key.

The rules:

- It is one compare-and-set of the record, as each save of a run is. A run that has the key, or
  wakes up with it, loses it by that: its next save fails, and the intent to submit is such a save.
- From the intent on it is too late; `call_off` stops what was submitted.
- A key without a record gets one. So a run that begins later is refused as well.
- It is for stores without locks (`SqlStore`, `RedisStore`): for a lock, `call_off` waits.
"""

from __future__ import annotations

import secrets
from typing import Final

import attrs

from newsleopard_async.stores.protocol import Store
from newsleopard_async.workflows.fingerprint import Fingerprint
from newsleopard_async.workflows.run_record import DECISIVE, RunRecord, read_run_record, step_of
from newsleopard_async.workflows.send_key import token_of

__all__ = ["withdraw"]

_ATTEMPTS: Final = 10
"""Chosen: a run saves a few times in a second at most, and each save costs one more attempt."""


async def withdraw(store: Store, send_key: str, *, pipeline: str = "send_campaign") -> bool:
    """Withdraw what was not submitted under a send key; it may be called again.

    Args:
        store: Where the run is kept, or would be.
        send_key: Its key.
        pipeline: Which pipeline it is of, if nothing is kept of it yet.
    Returns: True if nothing was submitted and nothing will be; False if it is too late: it was, or
        may have been.

    Raises:
        InvalidRequest: the record is of a newer version, damaged, or was edited.
        Exception: any error of the store; then call it again.
    """
    writer, failed = secrets.token_hex(8), None
    for _ in range(_ATTEMPTS):
        kept = await store.load(send_key)
        stored = _new(send_key, pipeline) if kept is None else read_run_record(kept.data)
        if not DECISIVE.isdisjoint(map(step_of, stored.records)):
            return False
        if stored.abandoned:
            return True
        wanted = attrs.evolve(stored, abandoned=True, writer=writer, held_until=None, ended=None)
        try:
            await store.save(send_key, wanted.to_dict(), None if kept is None else kept.revision)
        except Exception as error:  # noqa: BLE001 - the next look shows what became of it
            failed = error
        else:
            return True
    assert failed is not None
    raise failed


def _new(send_key: str, pipeline: str) -> RunRecord:
    return RunRecord(
        pipeline=pipeline,
        input_hash=Fingerprint.of().whole,
        input_parts={},
        token=token_of(send_key),
        records={},
        abandoned=False,
        send_key=send_key,
    )

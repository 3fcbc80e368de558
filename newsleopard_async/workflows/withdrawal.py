"""Withdraw a run before it has submitted, so that nothing will be sent under its key.

The rules:

- It is one compare-and-set of the record, like each save of a run. A run that has the key loses it,
  even if its process is suspended: its next save fails, and the intent to submit is such a save.
- After the intent it is too late; `call_off` can stop a campaign that was submitted.
- A key without a record gets one, so a run that begins later is also refused.
- It is for stores without locks (`SqlStore`, `RedisStore`). With a lock, `call_off` waits.
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
"""Chosen: a run saves a few times per second at most, and each save costs one more attempt."""


async def withdraw(store: Store, send_key: str, *, pipeline: str = "send_campaign") -> bool:
    """Withdraw the run of a send key if it has not submitted; a repeated call is safe.

    Args:
        store: The store of the run.
        send_key: The key of the run.
        pipeline: The pipeline of the run, if it has no record yet.
    Returns: True if nothing was submitted and nothing will be; False if it was submitted, or
        possibly submitted.

    Raises:
        InvalidRequest: the record has a newer version, is damaged, or was edited.
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
        except Exception as error:  # noqa: BLE001 - the next read shows the outcome
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

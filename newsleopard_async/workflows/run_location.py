"""Where a run is kept: under a send key in the client's store, or in a file of its own."""

from __future__ import annotations

from typing import TypeVar

import attrs

from newsleopard_async.client import NewsLeopard
from newsleopard_async.errors import InvalidRequest
from newsleopard_async.models.validation import raise_problems
from newsleopard_async.stores.one_file import OneFile
from newsleopard_async.stores.protocol import Store
from newsleopard_async.workflows.send_key import problems_of_send_key

__all__ = ["StoreLocation", "file_at", "location_of"]

T = TypeVar("T")


@attrs.frozen
class StoreLocation:
    """The place of a send key.

    Attributes:
        store: The client's.
        send_key: The key.
    """

    store: Store = attrs.field(repr=False)
    send_key: str


def file_at(path: object) -> OneFile:
    """Take the path of a checkpoint.

    Raises:
        InvalidRequest: it is something else, such as a store.
        ConfigurationError: it is relative to a folder that is gone.
    """
    if hasattr(path, "load") and hasattr(path, "save"):
        raise InvalidRequest.of(
            "checkpoint",
            "type",
            "must be a path. Give a store to the client, NewsLeopard(store=…), and to the call a "
            "send_key, under which the store keeps the run. A store of your own has to compare "
            "before it sets: see newsleopard_async.Store",
        )
    return OneFile.at(path)


def location_of(nl: NewsLeopard, send_key: str | None, checkpoint: T) -> T | StoreLocation:
    """Return where a run is kept, of what a caller gave.

    Raises:
        InvalidRequest: it cannot be a key, or there is a checkpoint as well.
        ConfigurationError: the client has no store, and this user no folder for one.
    """
    raise_problems(problems_of_send_key(send_key, checkpoint))
    return checkpoint if send_key is None else StoreLocation(nl.store, send_key)

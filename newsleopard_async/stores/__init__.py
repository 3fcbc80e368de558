"""The stores of run records, for all processes: files, a database, Redis, or a store of your own.

The pipelines need one promise of a store: it compares before it sets. So two runs of one key can
never both store the intent to send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsleopard_async.lazy import names_from

if TYPE_CHECKING:
    from newsleopard_async.stores.folder import FileStore
    from newsleopard_async.stores.protocol import Kept, Store
    from newsleopard_async.stores.redis import RedisStore
    from newsleopard_async.stores.sql import SqlStore

__all__ = ["FileStore", "Kept", "RedisStore", "SqlStore", "Store"]

_MODULES = {
    "stores.folder": ("FileStore",),
    "stores.protocol": ("Kept", "Store"),
    "stores.redis": ("RedisStore",),
    "stores.sql": ("SqlStore",),
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = names_from(__name__, _MODULES)

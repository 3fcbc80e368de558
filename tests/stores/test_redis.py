"""Redis and Valkey as stores, as far as they differ from the others."""

from __future__ import annotations

import pytest
import redis
import redis.asyncio

from newsleopard_async import InUse
from newsleopard_async.stores import RedisStore
from newsleopard_async.stores.protocol import keys_of


@pytest.mark.asyncio
async def test_asynchronous_client_of_the_caller_is_used(redis_url: str) -> None:
    """Its connections are the caller's to close."""
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        store = RedisStore(client)
        first = await store.save("週年慶", {"state": 1}, None)
        with pytest.raises(InUse):
            await store.save("週年慶", {"state": 2}, None)
        await store.save("週年慶", {"state": 2}, first)
        await store.aclose()

        kept = await store.load("週年慶")

        assert kept is not None
        assert kept.data == {"state": 2}
        assert await keys_of(store) == ("週年慶",)

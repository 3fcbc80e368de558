"""Codes as the platform issues them: 32 hex digits, UUIDs, all drawn from the seed (T16)."""

from __future__ import annotations

import random
import uuid

__all__ = ["Codes"]


class Codes:
    """A source of codes; the same seed gives the same codes in the same order."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"codes:{seed}")  # noqa: S311  # reproducible on purpose

    def sn(self) -> str:
        """Return a code of a list or a campaign."""
        return f"{self._random.getrandbits(128):032x}"

    def import_sn(self) -> str:
        """Return a code of an import."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def access_key_id(self) -> str:
        """Return an access key id of the storage, which is no secret but looks like one."""
        return "AKIA" + "".join(self._random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))

    def secret(self) -> bytes:
        """Return the secret that signs storage URLs."""
        return self._random.randbytes(32)

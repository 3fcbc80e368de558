"""Whether a file is still what it was when it was first looked at."""

from __future__ import annotations

import os

import attrs

__all__ = ["FileIdentity"]


@attrs.frozen
class FileIdentity:
    """What tells one state of a file from another, as far as the file system does."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileIdentity:
        """Read it off what the system says of a file."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

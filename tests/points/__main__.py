"""Print the table: ``python -m tests.points``, in the source tree."""

from __future__ import annotations

import sys

from tests.points.table import printed

if __name__ == "__main__":
    sys.stdout.write(f"{printed()}\n")

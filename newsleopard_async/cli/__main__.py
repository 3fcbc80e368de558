"""``python -m newsleopard_async.cli``, for where no script was installed."""

from __future__ import annotations

from newsleopard_async.cli import main

if __name__ == "__main__":
    main()

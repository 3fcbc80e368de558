"""``python -m newsleopard_async.cli``, if the script ``newsleopard`` is not on the path."""

from __future__ import annotations

from newsleopard_async.cli import main

if __name__ == "__main__":
    main()

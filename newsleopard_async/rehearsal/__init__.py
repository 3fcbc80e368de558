"""A rehearsal: the whole pipeline against an emulator in this process, on a clock that is held.

It needs the extra ``emulator``. Nothing leaves the process: it opens no socket, and uses neither
your key, your proxies nor your checkpoints. `Rehearsal.assumed` lists the assumptions of the
emulator about the platform.
"""

from __future__ import annotations

from newsleopard_async.rehearsal.model import Rehearsal, RehearsedMail, RehearsedTest
from newsleopard_async.rehearsal.running import rehearse

__all__ = ["Rehearsal", "RehearsedMail", "RehearsedTest", "rehearse"]

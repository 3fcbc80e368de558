"""A rehearsal: the whole pipeline against an emulator in this process, with time held.

It needs the extra ``emulator``. Nothing leaves the process: no socket is opened, and neither
the key, the proxies nor any checkpoint of yours is touched. What the emulator only assumes
about the platform is listed in `Rehearsal.assumed`.
"""

from __future__ import annotations

from newsleopard_async.rehearsal.model import Rehearsal, RehearsedMail, RehearsedTest
from newsleopard_async.rehearsal.running import rehearse

__all__ = ["Rehearsal", "RehearsedMail", "RehearsedTest", "rehearse"]

"""What a test can let go wrong, and what it can let the platform and the readers do."""

from __future__ import annotations

from newsleopard_async.emulator.http.messages import json_reply
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.faults import Fault, PendingFault
from newsleopard_async.emulator.platform.reactions import Action, react

__all__ = ["Controls"]


class Controls:
    """Faults by name, and what readers do.

    Each fault is for the next ``times`` requests of an operation, first in, first out. The
    operations are those of ``OPERATIONS``; all other arguments go by name, except the status that a
    request fails with.
    """

    _account: Account

    def not_sent(self, operation: str, *, times: int = 1) -> None:
        """Let a request never arrive: ``httpx.ConnectError``."""
        self._add(operation, Fault(kind="not_sent"), times)

    def drop_request(self, operation: str, *, times: int = 1) -> None:
        """Let a request arrive and not be processed, and the connection be reset."""
        self._add(operation, Fault(kind="drop_request"), times)

    def lose_reply_to(self, operation: str, *, times: int = 1) -> None:
        """Process a request and drop the connection: ``httpx.RemoteProtocolError``."""
        self._add(operation, Fault(kind="lose_reply"), times)

    def delay(self, operation: str, *, seconds: float, times: int = 1) -> None:
        """Process a request and answer late."""
        self._add(operation, Fault(kind="delay", seconds=seconds), times)

    def hang(
        self, operation: str, *, seconds: float = 60.0, processed: bool = True, times: int = 1
    ) -> None:
        """Answer a request with silence, and then drop the connection."""
        fault = Fault(kind="hang", seconds=seconds, processed=processed)
        self._add(operation, fault, times)

    def fail(
        self,
        operation: str,
        status: int = 500,
        *,
        body: bytes = b"",
        processed: bool = False,
        times: int = 1,
    ) -> None:
        """Answer a request with a status of its own, processed or not."""
        fault = Fault(kind="answer", status=status, body=body, processed=processed)
        self._add(operation, fault, times)

    def throttle(
        self,
        operation: str | None = None,
        *,
        message: str = "Limit Exceeded",
        status: int = 429,
        retry_after: float | str | None = None,
        times: int = 1,
    ) -> None:
        """Refuse requests, of one operation or any, as if they came too fast."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        body = json_reply({"message": message}).body
        fault = Fault(kind="throttle", status=status, body=body, headers=headers, processed=False)
        self._add(operation, fault, times)

    def cut_body(self, operation: str, *, times: int = 1) -> None:
        """Process a request, announce the whole answer, and send half of it."""
        self._add(operation, Fault(kind="cut_body"), times)

    def garbage(self, operation: str, *, times: int = 1) -> None:
        """Process a request and answer 200 with bytes that are no JSON."""
        self._add(operation, Fault(kind="garbage"), times)

    def _add(self, operation: str | None, fault: Fault, times: int) -> None:
        with self._account.changing():
            self._account.faults.add(operation, fault, times)

    def exhaust_day(self, *, resets_in_s: float = 86_400.0) -> None:
        """Refuse every request until the day's quota is back."""
        with self._account.changing():
            self._account.limiter.exhaust_day(self._account.clock.monotonic(), resets_in_s)

    def stick_import(self, times: int = 1) -> None:
        """Let the next imports to be uploaded stay PROCESSING for ever."""
        with self._account.changing():
            self._account.imports.stick(times)

    def script_import(self, status: str) -> None:
        """Let the next import to be uploaded end in this state.

        Contacts arrive in COMPLETE and COMPLETED only. In PROCESSING the import is stuck.
        """
        with self._account.changing():
            self._account.imports.script(status)

    def script_campaign(self, state: str) -> None:
        """Let the next accepted campaign come to this state at its instant without sending.

        In a state that is not final, such as SENDING, it stays for ever. COMPLETE lets the
        campaign take its course.
        """
        with self._account.changing():
            self._account.campaigns.script(state)

    @property
    def pending_faults(self) -> tuple[PendingFault, ...]:
        """The faults that have not happened yet; states that were scripted are not among them."""
        with self._account.lock:
            return self._account.faults.pending()

    def clear_faults(self) -> None:
        """Forget the faults that have not happened yet, and the states that were scripted."""
        with self._account.changing():
            self._account.faults.clear()
            self._account.imports.forget_scripts()
            self._account.campaigns.forget_scripts()

    def react(self, email: str, action: Action, *, campaign_sn: str | None = None) -> None:
        """Let something become of the latest mail to an address that has gone out, now.

        A reader opens and clicks once, and a click implies that he opened. A mail that bounces was
        never delivered or read. ``unsubscribe``, ``complain`` and ``bounce`` exclude the address.

        Args:
            email: The address.
            action: ``open``, ``click``, ``bounce``, ``unsubscribe`` or ``complain``.
            campaign_sn: Of which campaign; the latest of any by default.

        Raises:
            LookupError: no mail to the address has gone out, or it bounced; the text says why.
            ValueError: there is no such action.
        """
        with self._account.changing():
            now = self._account.catch_up()
            react(self._account, email, action, now, campaign_sn=campaign_sn)

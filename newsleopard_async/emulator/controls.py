"""The faults, states and reactions that a test sets at an emulator."""

from __future__ import annotations

from newsleopard_async.emulator.http.messages import json_reply
from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.faults import Fault, PendingFault
from newsleopard_async.emulator.platform.reactions import Action, react

__all__ = ["Controls"]


class Controls:
    """Faults by name, set states, and the reactions of readers.

    Each fault applies to the next ``times`` requests of an operation, first in, first out.
    ``OPERATIONS`` lists the operations. All other arguments go by name, except the status that a
    request fails with.
    """

    _account: Account

    def not_sent(self, operation: str, *, times: int = 1) -> None:
        """Refuse the connection, so a request never arrives: ``httpx.ConnectError``."""
        self._add(operation, Fault(kind="not_sent"), times)

    def drop_request(self, operation: str, *, times: int = 1) -> None:
        """Reset the connection after a request has arrived, without processing it."""
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
        """Send no answer to a request, and drop the connection after some seconds."""
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
        """Answer a request with the given status and body, processed or not."""
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
        """Refuse requests of one operation, or of any, as if they came too fast."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        body = json_reply({"message": message}).body
        fault = Fault(kind="throttle", status=status, body=body, headers=headers, processed=False)
        self._add(operation, fault, times)

    def cut_body(self, operation: str, *, times: int = 1) -> None:
        """Process a request, announce the whole answer, and send half of it."""
        self._add(operation, Fault(kind="cut_body"), times)

    def garbage(self, operation: str, *, times: int = 1) -> None:
        """Process a request and answer 200 with bytes that are not JSON."""
        self._add(operation, Fault(kind="garbage"), times)

    def _add(self, operation: str | None, fault: Fault, times: int) -> None:
        with self._account.changing():
            self._account.faults.add(operation, fault, times)

    def exhaust_day(self, *, resets_in_s: float = 86_400.0) -> None:
        """Refuse every request until the daily quota resets."""
        with self._account.changing():
            self._account.limiter.exhaust_day(self._account.clock.monotonic(), resets_in_s)

    def stick_import(self, times: int = 1) -> None:
        """Keep the next imports that are uploaded in PROCESSING for ever."""
        with self._account.changing():
            self._account.imports.stick(times)

    def script_import(self, status: str) -> None:
        """Set the final state of the next import that is uploaded.

        Only COMPLETE and COMPLETED import the contacts. PROCESSING keeps the import running for
        ever.
        """
        with self._account.changing():
            self._account.imports.script(status)

    def script_campaign(self, state: str) -> None:
        """Set the state that the next accepted campaign gets when it is due, instead of sending.

        It stays in this state for ever, even in one that is not final, such as SENDING. COMPLETE
        means that the campaign is sent as usual.
        """
        with self._account.changing():
            self._account.campaigns.script(state)

    @property
    def pending_faults(self) -> tuple[PendingFault, ...]:
        """The faults that have not happened yet, without the states that were set."""
        with self._account.lock:
            return self._account.faults.pending()

    def clear_faults(self) -> None:
        """Discard the faults that have not happened yet, and the states that were set."""
        with self._account.changing():
            self._account.faults.clear()
            self._account.imports.forget_scripts()
            self._account.campaigns.forget_scripts()

    def react(self, email: str, action: Action, *, campaign_sn: str | None = None) -> None:
        """Set what happens now to the latest mail that was sent to an address.

        A reader opens and clicks once, and a click implies an open. A mail that bounces was never
        delivered or read. ``unsubscribe``, ``complain`` and ``bounce`` exclude the address.

        Args:
            email: The address.
            action: ``open``, ``click``, ``bounce``, ``unsubscribe`` or ``complain``.
            campaign_sn: The campaign of the mail; by default the latest of any campaign.

        Raises:
            LookupError: no mail was sent to the address, or it bounced; the text has the reason.
            ValueError: the action is unknown.
        """
        with self._account.changing():
            now = self._account.catch_up()
            react(self._account, email, action, now, campaign_sn=campaign_sn)

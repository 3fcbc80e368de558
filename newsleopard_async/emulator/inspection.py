"""The state of an emulator as tests read it, to compare it with the client's results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from newsleopard_async.emulator.platform.account import Account
from newsleopard_async.emulator.platform.addressbook import Contact, ContactList, Contacts
from newsleopard_async.emulator.platform.automation import EventRecord
from newsleopard_async.emulator.platform.gateway import Listeners, RequestRecord
from newsleopard_async.emulator.platform.imports import ImportJob
from newsleopard_async.emulator.platform.mailings import Campaign
from newsleopard_async.emulator.platform.outbox import Mail, Outbox, render_mail
from newsleopard_async.emulator.platform.templates import Template
from newsleopard_async.emulator.platform.unsent import Unsent, last_refused_submit, why_unsent
from newsleopard_async.emulator.platform.waves import Wave
from newsleopard_async.emulator.platform.webhooks import Delivery

__all__ = ["Inspection", "why_none_of"]


class Inspection:
    """The state at the clock's present time; reading it changes nothing."""

    _account: Account

    @contextmanager
    def _present(self) -> Iterator[datetime]:
        """Lock the state at the clock's present time; a server can run in another thread."""
        with self._account.lock:
            yield self._account.catch_up()

    @contextmanager
    def _changed(self) -> Iterator[datetime]:
        """Lock the state as `_present` does, and record that it has changed."""
        with self._account.changing():
            yield self._account.catch_up()

    @property
    def submitted(self) -> int:
        """The number of campaigns that were accepted."""
        return len(self._account.campaigns.all)

    @property
    def mailings(self) -> int:
        """The number of mailings so far; a campaign can be sent twice (T123)."""
        return sum(item.mailings for item in self.campaigns)

    @property
    def automation_events(self) -> tuple[EventRecord, ...]:
        """The events for automation scripts, in order, with the accepted recipients."""
        with self._present():
            return tuple(self._account.automation.events)

    @property
    def campaigns(self) -> tuple[Campaign, ...]:
        """The accepted campaigns, the oldest first."""
        with self._present():
            return tuple(self._account.campaigns.all.values())

    @property
    def lists(self) -> tuple[ContactList, ...]:
        """The lists, the oldest first, with their members."""
        with self._present():
            return tuple(self._account.book.lists.values())

    @property
    def contacts(self) -> Mapping[str, Contact]:
        """The contacts, by address."""
        with self._present():
            return Contacts(self._account.book)

    @property
    def excluded(self) -> frozenset[str]:
        """The addresses that bounced, unsubscribed or complained so far."""
        book = self._account.book
        with self._present() as now:
            return frozenset(map(book.addresses.__getitem__, book.exclusions.by(now)))

    @property
    def imports(self) -> tuple[ImportJob, ...]:
        """The imports, in the order in which they were requested."""
        with self._present():
            return tuple(self._account.imports.jobs.values())

    @property
    def outbox(self) -> Outbox:
        """The mails sent so far, rendered when they are read; an empty outbox gives the reason."""
        with self._present() as now:
            campaigns = self._account.campaigns.all
            waves = [wave for item in campaigns.values() for wave in item.waves]
            is_empty = not any(wave.sent(now) for wave in waves)
            unsent = why_none_of(self._account, now) if is_empty else None
            return Outbox(waves, now=now, render=partial(_render, campaigns), unsent=unsent)

    @property
    def balance(self) -> int:
        """How many mails the account can still send."""
        with self._present():
            return self._account.campaigns.balance

    @balance.setter
    def balance(self, mails: int) -> None:
        with self._changed():
            self._account.campaigns.balance = mails

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """The last 10,000 requests that arrived, in order, with the first 64 KB of each body."""
        return self._account.log.last()

    @property
    def listeners(self) -> Listeners:
        """Functions that are called after each request has ended: ``listeners.add(print)``."""
        return self._account.listeners

    def count(self, operation: str) -> int:
        """Return the number of requests of an operation that arrived."""
        return self._account.log.count(operation)

    @property
    def leaked_keys(self) -> tuple[str, ...]:
        """The API keys that were sent to the storage; a correct client sends none."""
        return tuple(self._account.storage.leaked_keys)

    @property
    def webhooks(self) -> tuple[Delivery, ...]:
        """The webhooks that were sent, and those that were refused because of their host."""
        return tuple(self._account.webhooks.deliveries)

    def exclude(self, email: str) -> None:
        """Exclude an address (無效會員)."""
        with self._changed() as now:
            self._account.book.exclude(email.strip().lower(), now)

    def add_template(self, name: str, html: str) -> Template:
        """Add a template, which the API then lists (T132)."""
        with self._changed():
            return self._account.templates.add(name, html)

    def add_segment(self, name: str) -> ContactList:
        """Add a list of type 1, which contains every contact of the account at any time (T62)."""
        account = self._account
        with self._changed() as now:
            return account.book.create_list(account.codes.sn(), name, now, is_segment=True)

    def add_sample_lists(self) -> tuple[ContactList, ...]:
        """Add the lists of the documentation's examples, with their odd names (T56)."""
        names = ("測試用", "0305", "0412", "2019-04-01T08:38:32.569Z")
        account = self._account
        with self._changed() as now:
            return tuple(account.book.create_list(account.codes.sn(), name, now) for name in names)


def _render(campaigns: Mapping[str, Campaign], wave: Wave, index: int) -> Mail:
    """Render a mail from the campaigns of one state, which a restore can have replaced since."""
    return render_mail(wave, index, variants=campaigns[wave.campaign_sn].body.variants)


def why_none_of(account: Account, now: datetime) -> Unsent:
    """Return why no mail of an account has been sent."""
    return why_unsent(
        tuple(account.campaigns.all.values()),
        imports=account.imports.jobs.values(),
        lists=account.book.lists,
        refused=last_refused_submit(account.log.last()),
        now=now,
    )

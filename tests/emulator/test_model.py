"""The emulator against a small model of it, step by step, with any steps in any order.

The model is a second platform in plain Python, without readers: no mail bounces, and no reader acts
unless a step does so. After each step, both must have the same visible state. The model never reads
a mail again after it was sent, so the past of the emulator cannot change without a difference.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from newsleopard_async.emulator import Emulator
from tests.constants import START
from tests.emulator.api import AB_BODY, BODY, Api, HandClock, changed, make

pytestmark = pytest.mark.slow

COLUMNS = ("SIZE", "CITY")
SUBJECT = "${NAME}/${SIZE}/${CITY}"
IMPORT_S, SEND_S, TEST_S, DAY_S = 8, 2, 3_600, 86_400
MAILS_PER_S = 1e12
FAILURES = ("ERROR", "DUPLICATE_HEADER", "SOMETHING_NEW")
ENDS = ("STOP", "OVER_LIMIT", "UNAUTHENTICATED_SENDER")
STAYS = ("DRAFT", "SENDING", "TESTING")
PAUSABLE = {"PREPARE", "PREPARE_TO_SENT", "TESTING", "SENDING"}


@attrs.define
class Import:
    """An import of the model."""

    list_sn: str | None
    rows: list[list[str]]
    columns: tuple[str, ...]
    scripted: str | None
    status: str = "PROCESSING"
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    ended: datetime | None = None


@attrs.define
class Campaign:
    """A campaign of the model.

    Attributes:
        mails: The mails: recipient and subject.
        times: When each of them goes out.
        rest: Who waits for the end of a test.
        is_deleted: No endpoint knows it any more.
        is_once: It has no lists, but guests once their file was read.
        guests: The values of each of them.
        own: The columns of their file.
    """

    selected: tuple[str, ...]
    excluded: tuple[str, ...]
    is_test: bool
    begins: datetime
    charged: int
    scripted: str | None
    mails: dict[str, str] = attrs.field(factory=dict)
    unknown: tuple[str, ...] = ()
    failed: str | None = None
    begun: datetime | None = None
    end: datetime | None = None
    rest: list[str] = attrs.field(factory=list)
    times: dict[str, datetime] = attrs.field(factory=dict)
    is_deleted: bool = False
    is_once: bool = False
    guests: dict[str, dict[str, str]] | None = None
    own: frozenset[str] = frozenset()

    def state(self, now: datetime) -> str:
        """Name the state."""
        if self.failed:
            return self.failed
        if self.is_once and self.guests is None:
            return "PREPARE"
        if self.begun is None:
            return "PREPARE_TO_SENT"
        if self.end is not None:
            return "COMPLETE" if self.end <= now else "SENDING"
        return "TESTING"


class Model:
    """The platform as its documentation and the emulator's assumptions describe it."""

    def __init__(self, picked: Callable[[str], list[list[str]]]) -> None:
        self.now = START
        self.balance = 100
        self.may_send = True
        self.lists: dict[str, dict[str, None]] = {}
        self.contacts: dict[str, dict[str, str]] = {}
        self.columns: set[str] = set()
        self.excluded: set[str] = set()
        self.imports: dict[str, Import] = {}
        self.campaigns: dict[str, Campaign] = {}
        self._picked = picked
        self._busy_until = START
        self._due: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._numbers = itertools.count()

    def catch_up(self, now: datetime) -> None:
        """Let everything happen that is due; a clock that goes back changes nothing."""
        self.now = max(self.now, now)
        while self._due and min(self._due)[0] <= self.now:
            first = min(self._due)
            self._due.remove(first)
            first[2](first[0])

    def _at(self, when: datetime, change: Callable[[datetime], None]) -> None:
        self._due.append((when, next(self._numbers), change))

    def take_import(self, sn: str, job: Import) -> None:
        """Import rows, one file after the other."""
        self.imports[sn] = job
        if job.scripted != "PROCESSING":
            end = max(self.now, self._busy_until) + timedelta(seconds=IMPORT_S)
            self._busy_until = end
            self._at(end, lambda at: self._end_import(job, at))

    def _end_import(self, job: Import, at: datetime) -> None:
        job.status, job.ended = job.scripted or "COMPLETE", at
        if job.scripted is not None:
            return
        good = good_rows(job.rows, job.columns)
        found = contacts_of(good, job.columns)
        self.columns.update(job.columns)
        for email, values in found.items():
            self.contacts[email] = self.contacts.get(email, {}) | values
            if job.list_sn is not None:
                self.lists[job.list_sn][email] = None
        bad = len(job.rows) - len(good)
        job.counts = (len(job.rows), len(found), len(good) - len(found), bad)

    def remove(self, list_sn: str, gone: Iterable[str], *, from_account: bool) -> None:
        """Let contacts leave a list, or the account and all that was known of them."""
        for email in gone:
            self.lists[list_sn].pop(email)
            if from_account:
                for members in self.lists.values():
                    members.pop(email, None)
                del self.contacts[email]
                self.excluded.discard(email)

    def recipients(self, campaign: Campaign) -> dict[str, None]:
        """Return who would get it now."""
        left_out = {email for sn in campaign.excluded for email in self.lists[sn]}
        chosen = dict.fromkeys(email for sn in campaign.selected for email in self.lists[sn])
        chosen |= dict.fromkeys(campaign.guests or ())
        return {email: None for email in chosen if email not in left_out | self.excluded}

    def refusal(self, campaign: Campaign) -> int | None:
        """Return the code that refuses a campaign, or None."""
        count = len(self.recipients(campaign))
        if not self.may_send:
            return 40011
        if campaign.is_once:
            return None
        if not count:
            return 40013
        if campaign.is_test and self.balance < count * 50 // 100:
            return 40017
        return 40012 if self.balance < count else None

    def take_campaign(self, sn: str, campaign: Campaign) -> None:
        """Accept a campaign."""
        self.campaigns[sn] = campaign
        if campaign.is_once:
            return
        campaign.charged = len(self.recipients(campaign))
        self.balance -= campaign.charged
        self._at(campaign.begins, lambda at: self._begin(sn, campaign, at))

    def take_upload(self, sn: str, rows: list[list[str]], columns: tuple[str, ...]) -> None:
        """Read the contacts of a campaign without lists."""
        end = self.now + timedelta(seconds=IMPORT_S)
        guests = contacts_of(good_rows(rows, columns), columns)
        self._at(end, lambda at: self._receive(sn, guests, columns, at))

    def _receive(
        self, sn: str, guests: dict[str, dict[str, str]], columns: tuple[str, ...], at: datetime
    ) -> None:
        campaign = self.campaigns[sn]
        if campaign.failed == "STOP" or campaign.is_deleted:
            return
        campaign.guests, campaign.own = guests, frozenset(columns)
        count = len(self.recipients(campaign))
        if not count:
            campaign.failed = "EMPTY_RECIPIENT"
        elif count > self.balance:
            campaign.failed = "OVER_LIMIT"
        else:
            self._charge(campaign, count)
            begins = max(campaign.begins, at)
            self._at(begins, lambda then: self._begin(sn, campaign, then))

    def pause(self, campaign: Campaign) -> None:
        """Stop a campaign: what is not out stays."""
        campaign.failed, campaign.end = "STOP", None
        campaign.mails = {
            email: subject
            for email, subject in campaign.mails.items()
            if campaign.times[email] <= self.now
        }
        self._charge(campaign, len(campaign.mails))

    def delete(self, campaign: Campaign) -> None:
        """Forget a campaign."""
        campaign.is_deleted = True
        self._charge(campaign, len(campaign.mails))

    def _begin(self, sn: str, campaign: Campaign, at: datetime) -> None:
        if campaign.failed == "STOP" or campaign.is_deleted:
            return
        chosen = self.recipients(campaign)
        half = len(chosen) // 4 if campaign.is_test else 0
        if campaign.scripted:
            campaign.failed = campaign.scripted
        elif not chosen:
            campaign.failed = "EMPTY_RECIPIENT"
        elif campaign.is_test and not half:
            campaign.failed = "INSUFFICIENT_RECIPIENT_FOR_TESTING"
        else:
            campaign.failed = self._obstacle(len(chosen), campaign.charged)
        if campaign.failed:
            self._charge(campaign, campaign.charged if campaign.failed in STAYS else 0)
            return
        self._charge(campaign, len(chosen))
        campaign.begun = at
        campaign.unknown = tuple(sorted(set(COLUMNS) - self.columns - campaign.own))
        if not campaign.is_test:
            self._send(campaign, [*chosen], at)
            campaign.end = at + timedelta(seconds=SEND_S)
            return
        halves = self._picked(sn)
        assert [len(each) for each in halves] == [half, half]
        for each in halves:
            self._send(campaign, each, at)
        assert campaign.mails.keys() <= chosen.keys()
        assert len(campaign.mails) == 2 * half
        campaign.rest = [email for email in chosen if email not in campaign.mails]
        self._at(at + timedelta(seconds=TEST_S), lambda then: self._end_test(campaign, then))

    def _send(self, campaign: Campaign, recipients: list[str], at: datetime) -> None:
        """Send mails, spread evenly over the time that sending takes."""
        campaign.mails |= self._rendered(campaign, recipients)
        each_ms = 1_000 * (SEND_S + len(recipients) / MAILS_PER_S) / len(recipients)
        for place, email in enumerate(recipients, start=1):
            campaign.times[email] = at + timedelta(milliseconds=int(each_ms * place))

    def _end_test(self, campaign: Campaign, at: datetime) -> None:
        if campaign.failed == "STOP":
            return
        known = self.contacts if campaign.guests is None else campaign.guests
        left = [email for email in campaign.rest if email in known and email not in self.excluded]
        if left:
            campaign.failed = self._obstacle(len(left), campaign.charged - len(campaign.mails))
        if not campaign.failed:
            if left:
                self._send(campaign, left, at)
            campaign.end = at + timedelta(seconds=SEND_S if left else 0)
        self._charge(campaign, len(campaign.mails))

    def _obstacle(self, count: int, paid: int) -> str | None:
        if not self.may_send:
            return "UNAUTHENTICATED_SENDER"
        return "OVER_LIMIT" if count > self.balance + paid else None

    def _charge(self, campaign: Campaign, mails: int) -> None:
        self.balance += campaign.charged - mails
        campaign.charged = mails

    def _rendered(self, campaign: Campaign, recipients: Iterable[str]) -> dict[str, str]:
        """Write the subject of each mail, as of now."""
        contacts = self.contacts if campaign.guests is None else campaign.guests
        names = self.columns | campaign.own | {"NAME"}
        mails = {}
        for email in recipients:
            known = {name: contacts[email].get(name, "") for name in names}
            parts = [known.get(name, f"${{{name}}}") for name in ("NAME", *COLUMNS)]
            mails[email] = "/".join(parts)
        return mails


def good_rows(rows: list[list[str]], columns: tuple[str, ...]) -> list[list[str]]:
    """Return the rows that an import takes."""
    return [row for row in rows if len(row) == 2 + len(columns) and "@" in row[0]]


def contacts_of(good: list[list[str]], columns: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Return the values of each address: its last row counts, and comes where it stands."""
    found: dict[str, dict[str, str]] = {}
    for row in good:
        found.pop(row[0].lower(), None)
        found[row[0].lower()] = dict(zip(("NAME", *columns), row[1:], strict=True))
    return found


KNOWN = [f"{letter}@example.com" for letter in "abcdefgh"]
ADDRESSES = st.sampled_from([*KNOWN, *KNOWN, "A@example.com", "B@example.com", "no-address", ""])
WORDS = st.sampled_from(["x", "y", "大", ""])
AWHILE = st.sampled_from([0, 5, 900, TEST_S])
ROWS = st.lists(st.tuples(ADDRESSES, WORDS, WORDS, WORDS), max_size=8)


def cells_of(
    rows: list[tuple[str, ...]], columns: tuple[str, ...], *, is_short: bool
) -> list[list[str]]:
    """Cut rows to so many columns, the last one perhaps shorter."""
    cells = [list(row[: 2 + len(columns)]) for row in rows]
    if is_short and cells:
        del cells[-1][-1]
    if cells and cells[-1] == [""]:
        cells[-1] = ["no-address"]  # an empty line at the end would not count as a row
    return cells


def file_of(cells: list[list[str]], columns: tuple[str, ...]) -> str:
    """Write a file."""
    lines = [",".join(row) for row in [["EMAIL", "NAME", *columns], *cells]]
    return "\n".join(lines) + "\n"


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Draw the usual value five times as often as any other."""
    return st.sampled_from([usual] * 5 * len(others) + list(others))


class EmulatorAgainstModel(RuleBasedStateMachine):
    """Does the same to emulator and model."""

    lists = Bundle("lists")
    imports = Bundle("imports")
    campaigns = Bundle("campaigns")

    def __init__(self) -> None:
        super().__init__()
        self.emulator: Emulator
        self.clock: HandClock
        self.emulator, self.clock = make(
            bounce_share=0.0,
            open_share=0.0,
            import_rows_per_s=1e9,
            mails_per_s=MAILS_PER_S,
            later_endpoints=True,
        )
        self.api = Api(self.emulator)
        self.model = Model(self._picked)
        self.emulator.balance = self.model.balance
        self.seen: dict[tuple[str, str], Any] = {}
        self.exported: dict[str, datetime] = {}
        self._runner = asyncio.Runner()

    def teardown(self) -> None:
        """Wait until all jobs have ended, compare once more, and close the clients."""
        try:
            self.clock.advance(DAY_S + self.clock.wall_behind_s)
            self.lists_and_contacts_are_the_same()
            self.campaigns_are_the_same()
            self.mails_are_the_same_and_never_change()
        finally:
            self._close()

    def _close(self) -> None:
        self._runner.run(self.api.__aexit__(None, None, None))
        self._runner.close()

    def _picked(self, sn: str) -> list[list[str]]:
        """Return who gets A and who B of a test, which the seed decides."""
        waves = self._campaign(sn).waves[:2]
        return [[contact.email for contact in wave.recipients] for wave in waves]

    def _campaign(self, sn: str) -> Any:
        return next(item for item in self.emulator.campaigns if item.sn == sn)

    def _get(self, path: str) -> Any:
        answer = self._runner.run(self.api.get(path))
        assert answer.status_code == 200, answer.text
        return answer.json()

    @initialize(target=lists)
    def first_list(self) -> str:
        """Begin with a list of eight."""
        sn = self._create_list()
        self._import(sn, [[email, "x"] for email in KNOWN], (), None)
        self.clock.advance(60)
        return sn

    @rule(target=lists)
    def create_list(self) -> str:
        """Make an empty list."""
        return self._create_list()

    def _create_list(self) -> str:
        sn = self._runner.run(self.api.create_list())
        self.model.lists[sn] = {}
        return sn

    @rule(
        target=imports,
        list_sn=st.one_of(lists, lists, lists, st.none()),
        rows=ROWS,
        columns=st.sampled_from([(), ("SIZE",), ("CITY",), COLUMNS]),
        is_short=st.booleans(),
        scripted=mostly(None, *FAILURES, "PROCESSING"),
        waits_s=st.sampled_from([0, 60]),
    )
    def import_contacts(
        self,
        *,
        list_sn: str | None,
        rows: list[tuple[str, ...]],
        columns: tuple[str, ...],
        is_short: bool,
        scripted: str | None,
        waits_s: float,
    ) -> str:
        """Import a text: addresses that overlap, bad rows, new columns, a scripted end."""
        cells = cells_of(rows, columns, is_short=is_short)
        sn = self._import(list_sn, cells, columns, scripted)
        self.clock.advance(waits_s)
        return sn

    def _import(
        self,
        list_sn: str | None,
        cells: list[list[str]],
        columns: tuple[str, ...],
        scripted: str | None,
    ) -> str:
        if scripted is not None:
            self.emulator.script_import(scripted)
        sn = self._runner.run(self.api.import_text(file_of(cells, columns), list_sn))
        self.model.take_import(sn, Import(list_sn, cells, columns, scripted))
        return sn

    @rule(
        target=campaigns,
        selected=st.lists(lists, min_size=1, max_size=3),
        excluded=st.one_of(st.just([]), st.just([]), st.lists(lists, max_size=1)),
        is_test=st.booleans(),
        after_s=st.sampled_from([None, 1, 10, 600]),
        paused_s=st.sampled_from([None, None, 0.5, 1.5]),
        scripted=mostly(None, *ENDS, *STAYS),
    )
    def submit(
        self,
        *,
        selected: list[str],
        excluded: list[str],
        is_test: bool,
        after_s: float | None,
        paused_s: float | None,
        scripted: str | None,
    ) -> Any:
        """Submit a campaign or a test of half the mails, now or later; or stop it in the middle."""
        begins = self.model.now + timedelta(seconds=after_s or 0)
        wanted = Campaign(tuple(selected), tuple(excluded), is_test, begins, 0, scripted)
        answer = self._submit(wanted, is_immediate=after_s is None)
        if answer is None:
            return multiple()
        if paused_s is not None:
            self._let_pass((after_s or 0) + paused_s)
            self._pause(answer["sn"])
        return answer["sn"]

    @rule(
        target=campaigns,
        rows=ROWS,
        columns=st.sampled_from([(), ("SIZE",), COLUMNS]),
        is_short=st.booleans(),
        excluded=st.one_of(st.just([]), st.lists(lists, max_size=1)),
        is_test=st.booleans(),
        after_s=st.sampled_from([None, 1, 600]),
        uploaded_s=mostly(0, None, 60, 800),
        scripted=mostly(None, *ENDS),
    )
    def submit_once(
        self,
        *,
        rows: list[tuple[str, ...]],
        columns: tuple[str, ...],
        is_short: bool,
        excluded: list[str],
        is_test: bool,
        after_s: float | None,
        uploaded_s: float | None,
        scripted: str | None,
    ) -> Any:
        """Submit a campaign without lists, and upload its file or not."""
        begins = self.model.now + timedelta(seconds=after_s or 0)
        wanted = Campaign((), tuple(excluded), is_test, begins, 0, scripted, is_once=True)
        answer = self._submit(wanted, is_immediate=after_s is None)
        if answer is None:
            return multiple()
        if uploaded_s is not None:
            self._let_pass(uploaded_s)
            cells = cells_of(rows, columns, is_short=is_short)
            self.model.take_upload(answer["sn"], cells, columns)
            put = self.api.put(answer["url"], file_of(cells, columns).encode())
            assert self._runner.run(put).status_code == 200
        return answer["sn"]

    def _submit(self, wanted: Campaign, *, is_immediate: bool) -> dict[str, str] | None:
        """Submit a campaign to both, and return the answer if it was taken."""
        changes: dict[str, Any] = {
            "form.selectedLists": list(wanted.selected),
            "form.excludeLists": list(wanted.excluded),
            "config.schedule.type": 0 if is_immediate else 1,
            "config.schedule.scheduleDate": f"{wanted.begins:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "content.subject": SUBJECT,
        }
        if wanted.is_once:
            changes["form.selectedLists"] = ...
        if wanted.is_test:
            changes |= {
                "content.subjectA": SUBJECT,
                "content.subjectB": SUBJECT,
                "content.testing.proportion": 50,
            }
            del changes["content.subject"]
        refusal = self.model.refusal(wanted)
        if wanted.scripted is not None and refusal is None:
            self.emulator.script_campaign(wanted.scripted)
        body = changed(AB_BODY if wanted.is_test else BODY, changes)

        answer = self._runner.run((self.api.reserve if wanted.is_once else self.api.submit)(body))

        if refusal is not None:
            assert str(answer.json()["code"]) == str(refusal)
            return None
        found: dict[str, str] = answer.json()
        self.model.take_campaign(found["sn"], wanted)
        return found

    @rule(
        list_sn=lists,
        filtered=st.sampled_from(
            [("MAIL_ADDRESS", KNOWN[1]), ("MAIL_ADDRESS", "C@"), ("NAME", "x"), ("SIZE", "y")]
        ),
        operator=mostly("EQ", "LIKE", "NOT_EQ"),
        removal_from=st.sampled_from(["list", "account"]),
        after_s=AWHILE,
    )
    def remove(
        self,
        list_sn: str,
        filtered: tuple[str, str],
        operator: str,
        removal_from: str,
        after_s: float,
    ) -> None:
        """Let some members leave a list, or the account."""
        self._let_pass(after_s)
        field, value = filtered
        self.emulator.switch(removal_from=removal_from)
        body = {"field": field, "operator": operator, "value": value}
        answer = self._runner.run(self.api.delete(f"/v1/contacts/{list_sn}", body))
        if field == "SIZE" and "SIZE" not in self.model.columns:
            assert answer.json()["code"] == "40001"
            return
        assert answer.json() == {}
        gone = []
        for email in self.model.lists[list_sn]:
            contact = self.model.contacts[email] | {"MAIL_ADDRESS": email}
            given, wanted = contact.get(field, "").lower(), value.lower()
            is_found = wanted in given if operator == "LIKE" else given == wanted
            if is_found is not operator.startswith("NOT"):
                gone.append(email)
        self.model.remove(list_sn, gone, from_account=removal_from == "account")

    @rule(seconds=st.sampled_from([0.5, 3, 8, 60, TEST_S, DAY_S]))
    def let_time_pass(self, seconds: float) -> None:
        """Move the clock."""
        self.clock.advance(seconds)

    def _let_pass(self, seconds: float) -> None:
        """Move the clock without a request."""
        self.clock.advance(seconds)
        self.model.catch_up(self.clock.now())

    @rule(seconds=st.sampled_from([1, 100, 7_200]))
    def set_wall_clock_back(self, seconds: float) -> None:
        """Set the wall clock back, as a machine does that corrects itself."""
        self.clock.wall_behind_s += seconds

    @rule(mails=mostly(100, 0, 4, 8), after_s=AWHILE)
    def set_balance(self, mails: int, after_s: float) -> None:
        """Buy mails, or lose them."""
        self._let_pass(after_s)
        self.emulator.balance = self.model.balance = mails

    @rule(may=mostly(True, False), after_s=AWHILE)
    def verify_senders(self, may: bool, after_s: float) -> None:
        """Let every sender be verified, or none."""
        self._let_pass(after_s)
        self.emulator.switch(verified_senders=None if may else ())
        self.model.may_send = may

    @rule(email=st.sampled_from(["A@example.com", *KNOWN[1:3], "z@example.com"]), after_s=AWHILE)
    def exclude(self, email: str, after_s: float) -> None:
        """Exclude an address, possibly before it is a contact."""
        self._let_pass(after_s)
        self.emulator.exclude(email)
        self.model.excluded.add(email.lower())

    @rule(sn=campaigns)
    def export(self, sn: str) -> None:
        """Ask for a report; a second time within the hour does nothing."""
        answer = self._runner.run(self.api.post(f"/v1/report/{sn}/export", {}))
        if self.model.campaigns[sn].is_deleted:
            assert answer.json()["code"] == "40303"
            return
        assert answer.status_code == 200
        if sn not in self.exported or self.exported[sn] + timedelta(hours=1) <= self.model.now:
            self.exported[sn] = self.model.now

    @precondition(lambda self: self.exported)
    @rule(data=st.data())
    def read_report(self, data: st.DataObject) -> None:
        """The file of delivered mails has one row for each mail, as of the export."""
        sn = data.draw(st.sampled_from(sorted(self.exported)))
        if self.model.campaigns[sn].is_deleted:
            answer = self._runner.run(self.api.get(f"/v1/report/{sn}/link"))
            assert answer.json()["code"] == "40303"
            return
        links = self._get(f"/v1/report/{sn}/link")["Reports"]
        ready = self.exported[sn] + timedelta(seconds=15)
        end = self.model.campaigns[sn].end
        assert {link["reportType"] for link in links} <= {"delivery"}
        assert all(_instant(link["createdDate"]) <= self.model.now for link in links)
        if end is not None and end + timedelta(seconds=1) <= ready <= self.model.now:
            file = self._runner.run(self.api.fetch(links[0]["link"]))
            rows = [row.split(",")[0] for row in file.text.splitlines()[1:]]
            assert sorted(rows) == sorted(self.model.campaigns[sn].mails)

    @rule(sn=campaigns, after_s=AWHILE)
    def pause(self, sn: str, after_s: float) -> None:
        """Stop a campaign, if it is to send or sends; otherwise that is refused."""
        self._let_pass(after_s)
        self._pause(sn)

    def _pause(self, sn: str) -> None:
        wanted = self.model.campaigns[sn]
        answer = self._runner.run(self.api.request("PATCH", f"/v1/campaign/normal/{sn}"))
        if wanted.is_deleted:
            assert answer.json() == {"code": "40007"}
        elif wanted.state(self.model.now) not in PAUSABLE:
            assert answer.json() == {"code": "40015"}
        else:
            assert (answer.status_code, answer.content) == (204, b"")
            self.model.pause(wanted)

    @rule(sns=st.lists(campaigns, min_size=1, max_size=3), after_s=AWHILE)
    def delete(self, sns: list[str], after_s: float) -> None:
        """Delete campaigns; those that are being sent go on."""
        self._let_pass(after_s)
        places: dict[str, list[str]] = {"success": [], "sendingCampaign": [], "badCampaigns": []}
        for sn in dict.fromkeys(sns):
            wanted = self.model.campaigns[sn]
            if wanted.is_deleted:
                places["badCampaigns"].append(sn)
            elif wanted.state(self.model.now) in {"TESTING", "SENDING"}:
                places["sendingCampaign"].append(sn)
            else:
                places["success"].append(sn)
                self.model.delete(wanted)
        body = {"campaignSnList": sns}
        answer = self._runner.run(self.api.delete("/v1/campaign/normal", body))
        assert answer.json() == places

    @rule(sn=campaigns)
    def look_at_campaign(self, sn: str) -> None:
        """Status, figures and balance are those of the model."""
        self.model.catch_up(self.clock.now())
        now, wanted = self.model.now, self.model.campaigns[sn]
        answer = self._runner.run(self.api.get(f"/v1/campaign/normal/{sn}")).json()
        body = {"campaignSns": [sn]}
        rows = self._runner.run(self.api.post("/v1/report/campaigns/metrics", body)).json()
        assert self._get("/v1/balance") == {"email": max(0, self.model.balance), "sms": 0}
        if wanted.is_deleted:
            assert (answer, rows) == ({"code": "40007"}, [])
            return
        assert answer["status"] == wanted.state(now)
        assert answer["type"] == ("A_B_TEST" if wanted.is_test else "REGULAR")
        assert (answer["sentBeginDate"] is None) == (wanted.begun is None)
        assert _instant(answer["updateDate"]) <= now
        out = sum(wanted.times[email] <= now for email in wanted.mails)
        assert rows[0]["delivered"] == out <= rows[0]["recipientCnt"]
        assert len(rows) == (4 if wanted.is_test else 1)
        assert sum(row["delivered"] for row in rows[1:]) == (out if wanted.is_test else 0)

    @rule(sn=imports)
    def look_at_import(self, sn: str) -> None:
        """A result has the counts of the uploaded rows, and no time in the future."""
        if not self._settle_both():
            return
        wanted, shown = self.model.imports[sn], self._runner.run(self.api.result(sn))
        counts = [shown[name] for name in ("fileCnt", "insertCnt", "duplicateCnt", "errCnt")]
        assert (shown["status"], *counts) == (wanted.status, *wanted.counts)
        assert sum(counts[1:]) == counts[0]
        assert ("errorDownloadLink" in shown) == (counts[3] > 0)
        ended = shown["completedDate"]
        assert (ended is None) == (wanted.ended is None)
        assert ended is None or _instant(shown["createDate"]) <= _instant(ended) <= self.model.now

    def _settle_both(self) -> bool:
        self.model.catch_up(self.clock.now())
        return self.model.now - START < timedelta(days=30)  # after which results are gone

    @invariant()
    def lists_and_contacts_are_the_same(self) -> None:
        """Members, counts and states of lists, and every value of every contact."""
        self.model.catch_up(self.clock.now())
        model, emulator = self.model, self.emulator
        rows = {row["sn"]: row for row in self._get("/v1/contacts/lists?size=100")["Lists"]}
        assert list(rows) == list(model.lists)[::-1]
        running = [item.list_sn for item in model.imports.values() if item.status == "PROCESSING"]
        for item in emulator.lists:
            members, row = model.lists[item.sn], rows[item.sn]
            out = len(members.keys() & model.excluded)
            assert list(item.members) == list(members)
            assert (int(row["subscribedCnt"]), row["excludeCnt"]) == (len(members) - out, out)
            assert (row["status"] == "PROCESSING") == (item.sn in running)
        assert set(emulator.contacts) == set(model.contacts)
        for email, wanted in model.contacts.items():
            contact = emulator.contacts[email]
            shown = {"NAME": contact.name}
            shown |= {name.upper(): value for name, value in contact.values.items()}
            assert shown == wanted

    @invariant()
    def campaigns_are_the_same(self) -> None:
        """States and costs; complete campaigns are listed, and stay so."""
        self.model.catch_up(self.clock.now())
        model = self.model
        assert self.emulator.balance == model.balance
        for item in self.emulator.campaigns:
            wanted = model.campaigns[item.sn]
            assert item.state(model.now) == wanted.state(model.now)
            assert (item.charged, item.unknown_placeholders) == (wanted.charged, wanted.unknown)
            if wanted.end is not None:
                assert item.charged == len(wanted.mails) == len(list(_recipients(item)))
        complete = [
            (item.begun, number, sn)
            for number, (sn, item) in enumerate(model.campaigns.items())
            if item.state(model.now) == "COMPLETE" and not item.is_deleted
        ]
        every = "?startDate=2000-01-01T00:00:00.000Z&endDate=2100-01-01T00:00:00.000Z"
        rows = self._get("/v1/report/campaigns" + every)
        assert [row["sn"] for row in rows] == [sn for *_, sn in sorted(complete, reverse=True)]
        assert all(
            _instant(row["sentBeginDate"]) <= _instant(row["sentEndDate"]) <= model.now
            for row in rows
        )

    @invariant()
    def mails_are_the_same_and_never_change(self) -> None:
        """No contact gets a mail twice, and a mail that was sent does not change."""
        self.model.catch_up(self.clock.now())
        outbox = list(self.emulator.outbox)
        now = {(mail.campaign_sn, mail.to): mail for mail in outbox}
        assert len(now) == len(outbox)
        assert {key: now.get(key) for key in self.seen} == self.seen
        self.seen = now
        for sn, wanted in self.model.campaigns.items():
            found = {mail.to: mail.subject for (of, _), mail in now.items() if of == sn}
            assert found == {
                email: subject
                for email, subject in wanted.mails.items()
                if wanted.times[email] <= self.model.now
            }
        assert all(
            mail.sent_at == self.model.campaigns[mail.campaign_sn].times[mail.to] for mail in outbox
        )


def _recipients(campaign: Any) -> Iterator[str]:
    for wave in campaign.waves:
        yield from (contact.email for contact in wave.recipients)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.hypothesis  # so that a soak chooses it
def test_emulator_agrees_with_a_model_of_it(pytestconfig: pytest.Config) -> None:
    """After any steps, both have the same state, and the past does not change."""
    is_soak = pytestconfig.getoption("hypothesis_profile") == "soak"
    run_state_machine_as_test(
        EmulatorAgainstModel,
        settings=settings(
            max_examples=2_000 if is_soak else 60,
            stateful_step_count=50 if is_soak else 30,
            derandomize=not is_soak,
            print_blob=is_soak,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

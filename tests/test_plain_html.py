"""Models as tables of a notebook: values contain no markup, and no contact is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from justhtml import JustHTML, stream

from newsleopard_async import (
    CampaignSn,
    CampaignState,
    CampaignStatus,
    CheckReport,
    ContactsReport,
    Finding,
    ImportResult,
    ImportSn,
    ImportStatus,
    ListSn,
    ReportType,
)
from newsleopard_async.disclosure import shown
from newsleopard_async.models.reports import RejectedRow
from newsleopard_async.plain import Plain, Tabular
from newsleopard_async.workflows import (
    AutomationOutcome,
    CalledOff,
    CampaignReport,
    CampaignSummary,
    ImportReport,
    OnceOutcome,
    ReportFile,
    ReportState,
    SendOutcome,
)
from tests.constants import CAMPAIGN
from tests.rehearsal.test_model import SHOWN
from tests.workflows.test_plain_data import EXAMPLES

TABLES = [each for each in (*EXAMPLES, SHOWN) if isinstance(each, Tabular)]
NOW = datetime(2026, 1, 5, 2, tzinfo=UTC)
ALLOWED = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "br"}
ID: Callable[[Plain], str] = lambda each: type(each).__name__  # noqa: E731 - an argument of the tests


def made_of(text: str) -> tuple[Tabular, ...]:
    """Build a model of each class, with this text in every text field."""
    sn, status = CampaignSn(text), CampaignState(text)
    result = ImportResult(import_sn=ImportSn(text), status=ImportStatus(text), error_url=text)
    imported = ImportReport(
        list_sn=ListSn(text), import_sn=ImportSn(text), result=result, parts=(result,)
    )
    state = CampaignStatus(sn=sn, state=status, name=text, channel=text, kind=text)
    finding = Finding(level="note", rule=text, message=text, field=text, line=1, column=text)
    contacts = ContactsReport(
        findings=(finding,), columns=(text, text), encoding=text, unescaped=(finding,)
    )
    rejected = RejectedRow(line=1, email=text, reason=text, values={text: text})
    return (
        SendOutcome(campaign_sn=sn, import_report=imported, status=state),
        OnceOutcome(campaign_sn=sn, addresses=1, status=state),
        CalledOff(how="paused", campaign_sn=sn, before=state, after=state),
        CampaignReport(
            campaign_sn=sn,
            unchanged=False,
            available=(ReportState(type=ReportType(text)),),
            files=(ReportFile(type=ReportType(text), path=Path("a") / text, size_bytes=1),),
        ),
        CampaignSummary(campaign_sn=sn, name=text, events={text: 1}),
        AutomationOutcome(accepted=1, refused=1, unknown=0, requests=1, reasons={text: text}),
        CheckReport(findings=(finding,)),
        contacts,
        attrs.evolve(
            SHOWN,
            contacts=contacts,
            problem=text,
            name=text,
            requests={text: 1},
            rejected=1,
            rejected_for={text: 1},
            rejected_rows=(rejected,),
            unfilled=(text,),
            assumed=(text, text),
        ),
    )


def parsed(model: Tabular) -> JustHTML:
    """Read a table as a browser does."""
    return JustHTML(model._repr_html_(), fragment=True, sanitize=False)


def shape_of(models: Iterable[Tabular]) -> list[tuple[str, str]]:
    """Return the tags with their attributes, except the separators of a list."""
    written = "".join(model._repr_html_() for model in models)
    found = [(event, data) for event, data in stream(written) if event not in ("text", "comment")]
    return [(event, str(data)) for event, data in found if "br" not in data]


def cells_of(model: Tabular) -> dict[str, str]:
    """Return the text of each row by its name."""
    texts = [_text_of(cell) for row in parsed(model).query("tr") for cell in row.query("th, td")]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _text_of(element: Any) -> str:
    return "".join(child.data for child in element.children if child.name == "#text")


PLAIN = st.text(st.characters(exclude_characters="@＠﹫:"), min_size=1, max_size=40)


@settings(deadline=None, max_examples=15)
@given(st.text(min_size=1, max_size=40) | st.just("</td><script>alert(1)</script>"))
def test_no_text_becomes_markup(text: str) -> None:
    """With any text in a field, the elements and their attributes are the same."""
    assert shape_of(made_of(text)) == shape_of(made_of("x"))


@settings(deadline=None, max_examples=40)
@given(PLAIN)
def test_text_is_shown_as_it_is(text: str) -> None:
    """Markup is shown as text, and control characters are escaped."""
    summary = CampaignSummary(campaign_sn=CampaignSn("c"), name=text)

    assert cells_of(summary)["name"] == shown(text)


@pytest.mark.parametrize("table", TABLES, ids=ID)
def test_table_has_heads_and_nothing_active(table: Tabular) -> None:
    """Every heading has its scope, row or column; the styles apply only to the table."""
    found = [(each.name, each.attrs or {}) for each in parsed(table).query("*")]

    assert {name for name, _ in found} <= ALLOWED
    assert {key for _, given in found for key in given} <= {"class", "scope", "style", "colspan"}
    assert {given["scope"] for name, given in found if name == "th"} <= {"row", "col"}


@pytest.mark.parametrize(
    "secret",
    [
        "someone@example.com",
        "某人＠例子.台灣",
        "https://s.example/e.csv?X-Amz-Signature=abc",
        "https://user:word@s.example/",
    ],
)
def test_no_contact_and_no_key_is_shown(secret: str) -> None:
    """A notebook is stored with its output: addresses and queries of URLs are removed."""
    for table in made_of(f"見 {secret} 。"):
        written = table._repr_html_()

        assert not [part for part in ("someone", "某人", "Signature", "word") if part in written]


def test_long_text_is_cut_at_a_blank() -> None:
    """Otherwise half of an address would be left."""
    long = CampaignSummary(campaign_sn=CampaignSn("c"), name="x" * 495 + " someone@example.com")

    assert cells_of(long)["name"] == "x" * 495 + " …"


def test_contacts_of_an_outcome_are_counts() -> None:
    """A model that hides its contacts in its ``repr`` also hides them here."""
    outcome = AutomationOutcome(
        accepted=2_000, refused=1, unknown=0, requests=21, reasons={"refused": "secret"}
    )

    assert cells_of(outcome) == {
        "accepted": "2,000",
        "refused": "1",
        "unknown": "0",
        "requests": "21",
    }


def test_rehearsal_shows_no_mail() -> None:
    """Mails are personal data; their own pages show them."""
    written = SHOWN._repr_html_()

    assert SHOWN.mails
    assert SHOWN.mails[0].name not in written
    assert "Goes out" in written


def test_many_lines_are_counted() -> None:
    """A report can have thousands of them."""
    finding = Finding(level="note", rule="r", message="m")
    report = ContactsReport(findings=(finding,) * 60, columns=tuple(map(str, range(2_060))))
    few = CheckReport(findings=(finding,) * 50)

    written = report._repr_html_()

    assert "… and 10 more" in written
    assert "… and 2,010 more" in written
    assert "more" not in few._repr_html_()


def test_values_are_written_for_a_reader() -> None:
    """Unknown is a dash; numbers, times and shares have their usual form."""
    summary = CampaignSummary(
        campaign_sn=CampaignSn("c"), delivered=11_800, bounced=200, sent_end=NOW, name=""
    )
    [report] = [each for each in made_of("x") if isinstance(each, CampaignReport)]

    cells = cells_of(summary)
    assert (cells["delivered"], cells["opened"], cells["name"]) == ("11,800", "–", "–")
    assert cells["sent_end"] == "2026-01-05 02:00:00 UTC"
    assert cells["delivered_rate_percent"] == "98.3"
    assert ">no<" in report._repr_html_()


def test_contacts_hidden_by_a_repr_stay_hidden() -> None:
    """A model inside a table shows no more than its ``repr`` does."""
    campaign, mail = dict(CAMPAIGN.__html_rows__()), dict(SHOWN.mails[0].__html_rows__())

    assert campaign["html"] == f"<{len(CAMPAIGN.html)} characters>"
    assert mail.keys() == {"sender", "sent_at", "variant", "path"}


def test_classes_that_notebooks_show() -> None:
    """A model with whole contacts, HTML or a key has no table."""
    assert {type(each).__name__ for each in TABLES} == {
        "AutomationOutcome",
        "CalledOff",
        "CampaignReport",
        "CampaignSummary",
        "CheckReport",
        "ContactsReport",
        "ImportReport",
        "ImportResult",
        "OnceOutcome",
        "Rehearsal",
        "ReportSummary",
        "SendOutcome",
    }
    assert not [each for each in EXAMPLES if hasattr(each, "_repr_html_") and each not in TABLES]

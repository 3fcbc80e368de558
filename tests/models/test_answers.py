from __future__ import annotations

import copy
import importlib
import pickle
import pkgutil
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

import newsleopard_async
from newsleopard_async.models import (
    Balance,
    CampaignMetrics,
    CampaignSn,
    CampaignState,
    CampaignStatus,
    ContactList,
    DeleteOutcome,
    ImportResult,
    ImportSn,
    ImportStatus,
    ListSn,
    OnceTicket,
    ReportLink,
    ReportType,
    SentCampaign,
    Template,
    UploadTicket,
    newest_links,
)
from newsleopard_async.models.error_codes import ERROR_TEXTS, describe_code

PRESIGNED_URL = "https://key:secret@storage.example/upload/x.csv?X-Amz-Signature=0123#part"
SHOWN_URL = "https://storage.example/upload/x.csv?…"


@pytest.mark.parametrize(
    ("status", "is_final", "is_success"),
    [
        ("PROCESSING", False, False),
        ("COMPLETE", True, True),
        ("COMPLETED", True, True),
        ("DUPLICATE_HEADER", True, False),
        ("ERROR", True, False),
        ("MISSING_REQUIRED_DATA", True, False),
        ("STRANGE", True, False),
    ],
)
def test_state_knows_whether_it_ends(status: str, is_final: bool, is_success: bool) -> None:
    """Only PROCESSING goes on, and only COMPLETE is a success."""
    assert ImportStatus(status).is_final is is_final
    assert ImportStatus(status).is_success is is_success


def test_state_is_text() -> None:
    """A state equals its word; an unknown one is kept and shown."""
    assert ImportStatus("COMPLETED") == "COMPLETE" == ImportStatus.COMPLETE
    assert ImportStatus("STRANGE") == "STRANGE"
    assert not ImportStatus("STRANGE").is_known
    assert ImportStatus.ERROR.is_known
    assert repr(ImportStatus.ERROR) == "ImportStatus('ERROR')"
    assert f"{ImportStatus.ERROR}" == "ERROR"


@pytest.mark.parametrize(
    ("word", "is_final", "is_success", "is_failure"),
    [
        ("DRAFT", False, False, False),
        ("PREPARE", False, False, False),
        ("PREPARE_TO_SENT", False, False, False),
        ("TESTING", False, False, False),
        ("SENDING", False, False, False),
        ("COMPLETE", True, True, False),
        ("SENT", True, True, False),
        ("STOP", True, False, False),
        ("OVER_LIMIT", True, False, True),
        ("EMPTY_RECIPIENT", True, False, True),
        ("INSUFFICIENT_RECIPIENT_FOR_TESTING", True, False, True),
        ("UNAUTHENTICATED_SENDER", True, False, True),
        ("QUEUED", False, False, False),
        ("ERROR", False, False, False),
    ],
)
def test_state_of_a_campaign_is_final_only_if_it_is_known_to_be(
    word: str, is_final: bool, is_success: bool, is_failure: bool
) -> None:
    """An unknown state is not final, because the campaign can still be sent."""
    state = CampaignState(word)

    assert (state.is_final, state.is_success, state.is_failure) == (
        is_final,
        is_success,
        is_failure,
    )


@pytest.mark.parametrize("words", [ImportStatus, ReportType, CampaignState])
def test_constant_is_its_word(words: type[ImportStatus | ReportType | CampaignState]) -> None:
    """Each known word has a constant of its own name, and each constant is known."""
    constants = {name: str(value) for name, value in vars(words).items() if name.isupper()}

    assert {value.upper() for value in constants.values()} == set(constants)
    assert words.known == set(constants.values())


@pytest.mark.parametrize("word", [ImportStatus("STRANGE"), ReportType.OPEN])
def test_word_survives_copying(word: ImportStatus | ReportType) -> None:
    """A copy, even across processes, is of the same class."""
    for twin in (copy.deepcopy(word), pickle.loads(pickle.dumps(word))):  # noqa: S301 - our own
        assert twin == word
        assert type(twin) is type(word)


def test_report_type_is_open() -> None:
    """An unknown type of report is kept."""
    assert ReportType("complain") == ReportType.COMPLAIN
    assert ReportType.COMPLAIN.is_known
    assert not ReportType("forward").is_known


@pytest.mark.parametrize(
    "model",
    [
        UploadTicket(import_sn=ImportSn("i"), url=PRESIGNED_URL),
        ReportLink(type=ReportType.OPEN, url=PRESIGNED_URL),
        OnceTicket(campaign_sn=CampaignSn("c"), url=PRESIGNED_URL),
        ImportResult(
            import_sn=ImportSn("i"), status=ImportStatus.COMPLETE, error_url=PRESIGNED_URL
        ),
    ],
)
def test_presigned_url_is_shown_without_its_query(
    model: UploadTicket | ReportLink | OnceTicket | ImportResult,
) -> None:
    """Neither repr nor plain data, which are logged, grant access; the attribute does."""
    kept = model.error_url if isinstance(model, ImportResult) else model.url

    assert kept == PRESIGNED_URL
    assert SHOWN_URL in repr(model)
    assert SHOWN_URL in model.to_dict().values()
    for secret in ("Signature", "secret", "part"):
        assert secret not in repr(model)
        assert secret not in str(model.to_dict())


@pytest.mark.parametrize(
    "model",
    [
        ContactList(sn=ListSn("a")),
        SentCampaign(sn=CampaignSn("a")),
        ReportLink(type=ReportType.OPEN, url=PRESIGNED_URL),
        UploadTicket(import_sn=ImportSn("i"), url=PRESIGNED_URL),
        ImportResult(import_sn=ImportSn("i"), status=ImportStatus.COMPLETE),
        CampaignStatus(sn=CampaignSn("c"), state=CampaignState.STOP),
        DeleteOutcome(),
        OnceTicket(campaign_sn=CampaignSn("c"), url=PRESIGNED_URL),
        CampaignMetrics(sn=CampaignSn("c")),
        Balance(),
        Template(id="t"),
    ],
)
def test_answer_cannot_be_changed(model: Any) -> None:
    """What the server said stays what it said."""
    for field in attrs.fields(type(model)):
        with pytest.raises(AttributeError):
            setattr(model, field.name, None)


def test_missing_error_link_is_shown_as_none() -> None:
    """Where there is nothing to hide, nothing is hidden."""
    result = ImportResult(import_sn=ImportSn("i"), status=ImportStatus.PROCESSING)

    assert "error_url=None" in repr(result)
    assert result.to_dict()["error_url"] is None


@pytest.mark.parametrize(
    ("type_", "is_segment"), [(0, False), (1, True), (None, False), (7, False)]
)
def test_segment_is_recognised(type_: int | None, is_segment: bool) -> None:
    """Nothing should be imported into a list that fills itself."""
    assert ContactList(sn=ListSn("a"), type=type_).is_segment is is_segment


def test_newest_link_of_each_type_wins() -> None:
    """A type that comes twice is taken once; no date is older than any."""
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    links = [
        ReportLink(type=ReportType.OPEN, url="https://a.example/1", created=old),
        ReportLink(type=ReportType.CLICK, url="https://a.example/2"),
        ReportLink(type=ReportType.OPEN, url="https://a.example/3", created=new),
        ReportLink(type=ReportType.OPEN, url="https://a.example/4", created=old),
        ReportLink(type=ReportType.CLICK, url="https://a.example/5", created=old),
    ]

    assert [link.url[-1] for link in newest_links(links)] == ["3", "5"]


@pytest.mark.parametrize("code", ERROR_TEXTS)
def test_known_code_is_explained_in_both_languages(code: int) -> None:
    """The platform's text stands beside ours, with the way out."""
    text = ERROR_TEXTS[code]

    assert describe_code(code) == f"{text.english} ({text.chinese}): {text.advice}"


@pytest.mark.parametrize(
    ("code", "about", "is_advised"),
    [
        (40001, ["content", "content.preheaderA"], True),
        (40001, ["subject", "preheader"], True),
        (40001, ["content.subject"], False),
        (40014, ["content.preheader"], False),
    ],
)
def test_refused_preheader_has_its_way_out(code: int, about: list[str], is_advised: bool) -> None:
    """A platform that does not support the field accepts the campaign without it."""
    said = describe_code(code, about)

    assert said.startswith(f"{ERROR_TEXTS[code].english} ({ERROR_TEXTS[code].chinese}): ")
    assert ("leave the preheader out" in said) == is_advised


def test_codes_are_the_documented_ones() -> None:
    """15 codes of the table, and the one of the report pages."""
    assert sorted(ERROR_TEXTS) == [
        40001, 40003, 40004, 40007, 40008, 40009, 40010, 40011,
        40012, 40013, 40014, 40015, 40017, 40019, 40020, 40303,
    ]  # fmt: skip


def test_unknown_code_is_named() -> None:
    """The list of codes is not closed."""
    assert "49999" in describe_code(49999)


def test_rich_sees_what_repr_shows() -> None:
    """Rich prints the fields of attrs classes, unless the class has ``__rich_repr__``."""
    for module in pkgutil.walk_packages(newsleopard_async.__path__, "newsleopard_async."):
        if module.name.startswith("newsleopard_async.cli.__main__"):
            continue
        for cls in vars(importlib.import_module(module.name)).values():
            if isinstance(cls, type) and attrs.has(cls):
                is_made = cls.__repr__.__code__.co_filename.startswith("<attrs generated")
                assert is_made or hasattr(cls, "__rich_repr__"), cls

"""The state of a campaign at the platform, the outcome of a deletion, and an upload ticket."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self

import attrs

from newsleopard_async.models.codes import CampaignSn, Token
from newsleopard_async.plain import PRESIGNED, Plain, redact_url

__all__ = ["CampaignState", "CampaignStatus", "DeleteOutcome", "OnceTicket"]


class CampaignState(Token):
    """State of a campaign: the platform's word, with its meaning as properties.

    An unknown word is stored and is not final, because the campaign can still be sent.
    ``SENT`` becomes ``COMPLETE``.

    Source: eleven names in the notes of 2026; their meaning is inferred (T124).
    """

    __slots__ = ()

    DRAFT: ClassVar[CampaignState]
    PREPARE: ClassVar[CampaignState]
    PREPARE_TO_SENT: ClassVar[CampaignState]
    TESTING: ClassVar[CampaignState]
    SENDING: ClassVar[CampaignState]
    COMPLETE: ClassVar[CampaignState]
    STOP: ClassVar[CampaignState]
    OVER_LIMIT: ClassVar[CampaignState]
    EMPTY_RECIPIENT: ClassVar[CampaignState]
    INSUFFICIENT_RECIPIENT_FOR_TESTING: ClassVar[CampaignState]
    UNAUTHENTICATED_SENDER: ClassVar[CampaignState]

    known: ClassVar[frozenset[str]] = frozenset(
        {
            "DRAFT",
            "PREPARE",
            "PREPARE_TO_SENT",
            "TESTING",
            "SENDING",
            "COMPLETE",
            "STOP",
            "OVER_LIMIT",
            "EMPTY_RECIPIENT",
            "INSUFFICIENT_RECIPIENT_FOR_TESTING",
            "UNAUTHENTICATED_SENDER",
        }
    )

    def __new__(cls, word: str) -> Self:
        """Store the word; ``SENT`` of other documents becomes ``COMPLETE``."""
        return super().__new__(cls, "COMPLETE" if word == "SENT" else word)

    @property
    def is_final(self) -> bool:
        """Whether the campaign has ended, so that no more mails will be sent."""
        return self.is_success or self.is_failure or self == "STOP"

    @property
    def is_success(self) -> bool:
        """Whether all mails were sent."""
        return self == "COMPLETE"

    @property
    def is_failure(self) -> bool:
        """Whether the platform refused to send all or the rest; a stop is not a failure."""
        return self in _FAILURES


_FAILURES = frozenset(
    {
        "OVER_LIMIT",
        "EMPTY_RECIPIENT",
        "INSUFFICIENT_RECIPIENT_FOR_TESTING",
        "UNAUTHENTICATED_SENDER",
    }
)

for _word in CampaignState.known:
    setattr(CampaignState, _word, CampaignState(_word))
del _word


@attrs.frozen(kw_only=True)
class CampaignStatus(Plain):
    """The platform's description of a campaign. None means that a value is unknown.

    Attributes:
        sn: Its code (活動代碼).
        state: Its state.
        name: Its name; empty if the server gave none.
        channel: ``MAIL``, ``SMS``, or another word.
        send_time: ``NOW``, ``SCHEDULED``, or another word.
        kind: ``REGULAR``, ``A_B_TEST``, or another word.
        proportion: Share of the test mails, in percent.
        scheduled: When it will be sent, UTC.
        sent_begin: When sending began, UTC.
        sent_end: When sending ended, UTC.
        updated: When it last changed, UTC.
        has_content: For each version, whether it has content.
    Source: GET /v1/campaign/normal/{campaign_sn}; notes 2026 (T124 to T126).
    """

    sn: CampaignSn
    state: CampaignState
    name: str = ""
    channel: str | None = None
    send_time: str | None = None
    kind: str | None = None
    proportion: int | None = None
    scheduled: datetime | None = None
    sent_begin: datetime | None = None
    sent_end: datetime | None = None
    updated: datetime | None = None
    has_content: tuple[bool, ...] | None = None


@attrs.frozen(kw_only=True)
class DeleteOutcome(Plain):
    """The outcome of a deletion for each campaign; some can be deleted and others not (T128).

    Attributes:
        deleted: Codes of deleted campaigns.
        still_sending: Codes of campaigns that are being sent, and were not deleted.
        refused: Codes of campaigns that were not deleted for another reason.
        unmentioned: Codes that the answer does not mention; treat them as not deleted.
        after_loss: Whether the answer to an earlier attempt was lost. Then a campaign in
            ``refused`` was possibly deleted by the earlier attempt.
    Source: DELETE /v1/campaign/normal; notes 2026.
    """

    deleted: tuple[CampaignSn, ...] = ()
    still_sending: tuple[CampaignSn, ...] = ()
    refused: tuple[CampaignSn, ...] = ()
    unmentioned: tuple[CampaignSn, ...] = ()
    after_loss: bool = False


@attrs.frozen(kw_only=True)
class OnceTicket(Plain):
    """A ticket to upload the recipients of a campaign that is sent once; the upload sends it.

    ``repr`` and ``to_dict()`` hide the query of the URL, so a ticket that was read back from
    plain data cannot be used.

    Attributes:
        campaign_sn: Code of the campaign (活動代碼).
        url: The URL for the PUT of the file. It contains its authorisation: keep it secret.
    Source: POST /v1/campaign/normal/once; notes 2026, the names of the fields are assumed (T122).
    """

    campaign_sn: CampaignSn
    url: str = attrs.field(repr=lambda url: repr(redact_url(url)), metadata=PRESIGNED)

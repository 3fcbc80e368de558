"""Nothing that a run emits shows the key, a presigned URL's query, or a contact."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from newsleopard_async import ApiAttempt, CallNext, Campaign, NewsLeopard, workflows
from newsleopard_async.emulator import Emulator
from newsleopard_async.emulator.server import running
from newsleopard_async.emulator.switches import Switches
from newsleopard_async.models import Polling
from newsleopard_async.workflows import Event
from tests.constants import CAMPAIGN, KEY, LIST_NAME
from tests.faults.stories import Case, cases, live
from tests.faults.strikes import FAULTS, Strike
from tests.faults.world import MANY, addresses, csv_of, world
from tests.telemetry import collected

SECRET = re.compile(
    "|".join(
        [
            re.escape(KEY),
            "@contacts[.]example",
            # The parameters of a presigned URL, and not the headers of an answer.
            "X-Amz-(?!Request-Id|Id-2|Cf-|Apigw-)",
            "Signature=",
            "AWSAccessKeyId",
            "Expires=",
            r"_storage/[^\s?]*[?][^…•\s]",
        ]
    ),
    re.IGNORECASE,
)
QUICK = Polling(first_s=0.05, max_s=0.2, settle_s=1)


def check_clean(texts: Iterable[tuple[str, str]]) -> None:
    """Fail where a text, told by its name, shows a secret."""
    for name, text in texts:
        found = SECRET.search(text)
        if found is not None:
            pytest.fail(f"{name} shows {found[0]!r}: {text[:2000]}")


def shown(value: Any) -> str:
    """Return all the ways to look at a value, and at what is in it."""
    texts = [repr(value), str(value), f"{value}"]
    if hasattr(value, "to_dict"):
        texts.append(repr(value.to_dict()))
    if hasattr(value, "_repr_html_"):
        texts.append(value._repr_html_())
    if isinstance(value, tuple):
        texts.extend(shown(each) for each in value)
    if attrs.has(type(value)):
        texts.extend(repr(getattr(value, each.name)) for each in _public(type(value)))
    return "\n".join(texts)


def _public(cls: type) -> list[Any]:
    """Return the fields except presigned URLs, which the caller needs."""
    return [
        each
        for each in attrs.fields(cls)
        if not each.name.startswith("_") and not each.metadata.get("presigned")
    ]


def explained(error: BaseException) -> str:
    """Return an error as every reporter shows it, with all that led to it."""
    texts = ["".join(traceback.format_exception(error)), repr(error), repr(vars(error))]
    causes = (error.__cause__, error.__context__)
    texts.extend(explained(inner) for inner in causes if inner is not None)
    return "\n".join(texts)


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return what was logged, with the fields of the library's records."""
    ours = [each for each in caplog.records if each.name.startswith("newsleopard_async")]
    fields = [value for each in ours for value in vars(each).items() if value[0].startswith("nl_")]
    return f"{caplog.text}\n{fields}"


def test_whole_run_over_the_wire_shows_nothing(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """List, file, import with rejected rows, campaign, report: at DEBUG, over real sockets.

    And a campaign without a list, an event for a script, and the numbers of both campaigns.
    """
    caplog.set_level(logging.DEBUG)
    switches = Switches(
        import_base_s=0.05,
        send_base_s=0,
        report_delay_s=0.1,
        open_share=1.0,
        later_endpoints=True,
    )
    emulator = Emulator(api_keys=(KEY,), switches=switches)
    seen: list[tuple[str, str]] = []

    def note(event: Event) -> None:
        seen.append(("an event", shown(event)))

    async def on_attempt(attempt: ApiAttempt, call_next: CallNext) -> None:
        seen.append(("an attempt", shown(attempt)))
        seen.append(("an outcome", shown(await call_next(attempt))))

    async def main(url: str) -> None:
        async with NewsLeopard(KEY, base_url=url, quota="host", on_attempt=on_attempt) as nl:
            outcome = await workflows.send_campaign(
                nl,
                CAMPAIGN,
                contacts=csv_of(MANY) + ",no address\n",
                list_name=LIST_NAME,
                max_rejected=1,
                polling=QUICK,
                progress=note,
                checkpoint=tmp_path / "send.json",
            )
            report = await workflows.export_report(
                nl,
                outcome.campaign_sn,
                download_to=tmp_path / "reports",
                polling=QUICK,
                progress=note,
                checkpoint=tmp_path / "export.json",
            )
            once = await workflows.send_once(
                nl,
                CAMPAIGN,
                csv_of(MANY),
                wait="sent",
                polling=QUICK,
                progress=note,
                checkpoint=tmp_path / "once.json",
            )
            told = await workflows.trigger_automation(
                nl, "script", csv_of(MANY), progress=note, checkpoint=tmp_path / "told.json"
            )
            numbers = await workflows.summarize(nl, [outcome.campaign_sn, once.campaign_sn])
            off = await workflows.call_off(nl, once.campaign_sn, progress=note)
            seen.extend((type(each).__name__, shown(each)) for each in (once, told, numbers, off))
            ticket = await nl.contacts.start_file_import()
            links = await nl.reports.get_links(outcome.campaign_sn)
            lists = await nl.contacts.list_lists()
            result = await nl.contacts.get_import(outcome.import_report.import_sn)  # type: ignore[union-attr]  # contacts were given
            assert result.error_url is not None
            assert links
            values = (outcome, report, ticket, links, lists, result, nl, nl.usage)
            inside = (nl._api, nl._api.pools, nl._api.limiter, nl.contacts, nl.reports)
            seen.extend((type(each).__name__, shown(each)) for each in values)
            seen.extend((type(each).__name__, repr(each)) for each in inside)

    with running(emulator) as url, collected(monkeypatch) as telemetry:
        anyio.run(main, url)
        seen.append(("spans and metrics", str(telemetry)))

    pipelines = {"send_campaign", "export_report", "send_once", "trigger_automation", "call_off"}
    assert {f"newsleopard.{each}" for each in pipelines} <= set(telemetry.names)
    assert {record.name.partition(".")[0] for record in caplog.records} >= {"httpcore"}
    files = [tmp_path / name for name in ("send.json", "export.json")]
    files += [tmp_path / name for name in ("once.json", "told.json")]
    seen.extend((path.name, path.read_text()) for path in files)
    seen.append(("the log", logged(caplog)))
    seen.append(("the output", "".join(capfd.readouterr())))
    check_clean(seen)
    attempts = re.findall(r" (\w+) \((?:GET|POST|PUT) [^)]*\): HTTP 200 in ", caplog.text)
    assert {"create_list", "upload", "download", "submit_campaign", "upload_once"} <= set(attempts)


@pytest.mark.slow
@pytest.mark.parametrize("case", cases()[3 :: len(FAULTS) + 1], ids=str)
def test_faults_show_nothing(
    case: Case, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Errors, with all that led to them, and what is logged and stored on the way."""
    caplog.set_level(logging.DEBUG)
    seen: list[tuple[str, str]] = []
    with world() as at:
        case.pipeline.prepare(at)
        ending = live(at, case.pipeline, [Strike(case.at, case.fault)])
        if isinstance(ending, BaseException):
            seen.append(("the error", explained(ending)))
            seen.append(("its checkpoint", shown(getattr(ending, "checkpoint", None))))
        else:
            seen.append(("the result", shown(ending)))
        if at.checkpoint.exists():
            seen.append(("the checkpoint", at.checkpoint.read_text()))

    seen.append(("the log", logged(caplog)))
    seen.append(("the output", "".join(capfd.readouterr())))
    check_clean(seen)


@pytest.mark.slow
def test_refusal_that_quotes_everything_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Servers echo what they got; it goes no further."""
    caplog.set_level(logging.DEBUG)
    echo = f"{KEY} {addresses(1)[0]} https://x.example/_storage/a?X-Amz-Signature=1".encode()
    operations = ("list_lists", "create_list", "start_file_import", "upload", "submit_campaign")
    for operation in operations:
        for status in (200, 302, 400, 403, 500):
            with world() as at:
                at.emulator.fail(
                    operation, status=status, times=20, body=b'{"message": "' + echo + b'"}'
                )
                campaign: Campaign = CAMPAIGN

                async def main(at: Any = at, campaign: Campaign = campaign) -> Any:
                    async with at.client() as nl:
                        return await workflows.send_campaign(
                            nl,
                            campaign,
                            contacts=csv_of(MANY),
                            list_name=LIST_NAME,
                            polling=Polling(deadline_s=20),
                            checkpoint=at.checkpoint,
                        )

                with pytest.raises(Exception, match=r"\w") as caught:
                    anyio.run(main)
                check_clean([(f"{operation} {status}", explained(caught.value))])
    check_clean([("the log", logged(caplog))])


def test_secrets_are_seen() -> None:
    """The check above would notice them."""
    for text in (KEY, addresses(1)[0], "https://x/_storage/a?b", "…X-Amz-Date=…"):
        with pytest.raises(pytest.fail.Exception):
            check_clean([("a text", f"before {text} after")])

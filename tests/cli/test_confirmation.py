"""A question that is not answered changes nothing."""

from __future__ import annotations

import click
import pytest

from newsleopard_async.cli.confirmation import confirm
from newsleopard_async.cli.failures import ExitStatus, failure_of


@pytest.mark.parametrize(
    ("answer", "status"),
    [(KeyboardInterrupt(), ExitStatus.INTERRUPTED), (EOFError(), ExitStatus.REFUSED)],
)
def test_question_without_an_answer_says_that_nothing_was_done(
    answer: BaseException, status: ExitStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at a question is an interruption; the end of the input is a no."""

    def ask(*_: object) -> str:
        raise answer

    monkeypatch.setattr("click.termui.visible_prompt_func", ask)

    with pytest.raises(click.Abort) as caught:
        confirm("Send it?")

    failure = failure_of(caught.value)
    assert failure.status is status
    assert "Nothing was sent" in "\n".join((failure.message, *failure.notes))

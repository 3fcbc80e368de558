"""``python -m tests.faults.report`` plays every case of the matrix and prints what came of it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

import attrs

from tests.faults.later import told
from tests.faults.stories import ALL, Case, Story, cases, log_of, play, requests_of
from tests.faults.stories import check as check_end
from tests.faults.strikes import FAULTS, Strike
from tests.faults.world import world

__all__ = ["Played", "main", "play_all", "rows"]


@attrs.frozen
class Played:
    """A case and what came of it.

    Attributes:
        campaigns: At the emulator, of those that the pipeline made and did not delete.
        mailings: Of theirs, that went out.
        told: How often an automation script was told of an address, at most.
        contacts: At the emulator.
        lists: Of the pipeline's name.
        files: Of a report, on disk.
    """

    case: Case
    story: Story
    campaigns: int
    mailings: int
    told: int
    contacts: int
    lists: int
    files: int

    @property
    def outcome(self) -> str:
        """How it ended, in a word."""
        if self.story.too_late:
            return "too late"
        if self.story.held:
            return "held"
        return "at once" if len(self.story.endings) == 1 else "resumed"


def play_one(case: Case) -> Played:
    """Play a case, check its end, and count."""
    with world() as at:
        story = play(at, case.pipeline, [[Strike(case.at, case.fault)]])
        check_end(at, story, log_of(case.pipeline).result)
        made = at.emulator.campaigns[at.submitted_before :]
        return Played(
            case=case,
            story=story,
            campaigns=sum(each.deleted is None for each in made),
            mailings=sum(each.mailings for each in made),
            told=max(told(at).values(), default=0),
            contacts=len(at.emulator.contacts),
            lists=sum(each.name == "會員" for each in at.emulator.lists),
            files=len(list(at.downloads.iterdir())) if at.downloads.exists() else 0,
        )


def play_all(chosen: Iterable[Case]) -> list[Played]:
    """Play cases."""
    return [play_one(case) for case in chosen]


def rows(played: Iterable[Played]) -> list[str]:
    """Write a table: a row a request, with the outcomes of all faults, and the sums."""
    played = list(played)
    lines = ["pipeline           request               cases  outcomes"]
    for pipeline in ALL:
        for at, operation in enumerate(requests_of(pipeline)):
            of_it = [
                each for each in played if each.case.pipeline is pipeline and each.case.at == at
            ]
            if not of_it:
                continue
            outcomes = Counter(each.outcome for each in of_it)
            shown = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))
            lines.append(f"{pipeline.name:15} {at:2} {operation:19} {len(of_it):5}  {shown}")
    return [*lines, "", *_sums(played)]


def _sums(played: list[Played]) -> list[str]:
    most = {
        name: max((getattr(each, name) for each in played), default=0)
        for name in ("campaigns", "mailings", "lists", "told")
    }
    outcomes = Counter(each.outcome for each in played)
    return [
        f"{len(played)} cases: {len(ALL)} pipelines, {len(FAULTS)} faults; "
        + ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items())),
        (
            f"campaigns: {sum(each.campaigns for each in played)}, "
            f"never more than {most['campaigns']} in a case; "
            f"mailings: {sum(each.mailings for each in played)}, never more than "
            f"{most['mailings']}; events for an address: never more than {most['told']}; "
            f"lists: never more than {most['lists']}; "
            f"lives: {sum(len(each.story.endings) for each in played)}"
        ),
        (
            f"contacts there: {sum(each.contacts for each in played)}, each once; "
            f"report files whole: {sum(each.files for each in played)}"
        ),
    ]


def main() -> None:
    """Play the whole matrix."""
    sys.stdout.write("\n".join(rows(play_all(cases()))) + "\n")


if __name__ == "__main__":
    main()

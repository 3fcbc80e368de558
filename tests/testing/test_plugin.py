"""The plugin of pytest: an emulator, a client on it, clocks, and a server, for users' own tests."""

from __future__ import annotations

import tomllib

import pytest

from newsleopard_async.testing import plugin
from tests.constants import ROOT
from tests.testing.inner_runs import BARE, PLUGIN, run

pytest_plugins = ("pytester",)

BODY = """
        list_sn = await newsleopard.contacts.create_list("VIP會員名單")

        assert newsleopard_emulator.lists[0].sn == list_sn
        assert newsleopard_emulator.clock is newsleopard_clock
"""
ARGUMENTS = "(newsleopard, newsleopard_emulator, newsleopard_clock)"
WAYS = {
    "asyncio-strict": (
        f"""
    import pytest

    @pytest.mark.asyncio
    async def test_list{ARGUMENTS}:{BODY}
    """,
        ("-o", "asyncio_mode=strict"),
        1,
    ),
    "asyncio-auto": (
        f"""
    async def test_list{ARGUMENTS}:{BODY}
    """,
        ("-o", "asyncio_mode=auto"),
        1,
    ),
    "anyio": (
        f"""
    import pytest

    @pytest.mark.anyio
    async def test_list{ARGUMENTS}:{BODY}
    """,
        ("-p", "no:asyncio"),
        2,
    ),
    "neither": (
        f"""
    import anyio

    def test_list{ARGUMENTS}:
        anyio.run(_list, newsleopard, newsleopard_emulator, newsleopard_clock)

    async def _list{ARGUMENTS}:{BODY}
    """,
        ("-p", "no:asyncio", "-p", "no:anyio"),
        1,
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_client_and_emulator_serve_any_async_test(pytester: pytest.Pytester, way: str) -> None:
    """With pytest-asyncio in both modes, with anyio on both loops, and without either."""
    code, options, count = WAYS[way]

    result = run(pytester, code, *options)

    result.assert_outcomes(passed=count)


def test_each_test_begins_anew(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same send key sends in each test, and nothing of the environment stays behind."""
    monkeypatch.setenv("NEWSLEOPARD_API_KEY", "a-live-key")
    result = run(
        pytester,
        """
        import os
        import anyio
        import pytest
        from newsleopard_async import Campaign, Sender, workflows

        CAMPAIGN = Campaign(
            name="週年慶", subject="您好", sender=Sender("電子豹", "service@example.com"),
            html="<p>您好</p>",
        )

        BEFORE = dict(os.environ)

        @pytest.mark.parametrize("number", [1, 2])
        def test_send(newsleopard, newsleopard_emulator, number, monkeypatch, tmp_path):
            monkeypatch.undo()
            assert os.environ["NEWSLEOPARD_QUOTA"] == "process"
            assert os.environ["XDG_STATE_HOME"].startswith(str(tmp_path))
            # A client of the program under test must not find the way to the real platform.
            assert "NEWSLEOPARD_API_KEY" not in os.environ

            async def main():
                await workflows.send_campaign(
                    newsleopard, CAMPAIGN, contacts=b"EMAIL,NAME\\na@example.com,A\\n",
                    list_name="VIP會員名單", send_key="anniversary",
                )

            anyio.run(main)
            assert newsleopard_emulator.submitted == 1

        def test_environment():
            changed = dict(os.environ.items() ^ BEFORE.items())
            assert changed.keys() == {"PYTEST_CURRENT_TEST"}
        """,
    )

    result.assert_outcomes(passed=3)


def test_held_clock_holds_the_emulator(pytester: pytest.Pytester) -> None:
    """A test with the held clock moves the time explicitly."""
    result = run(
        pytester,
        """
        def test_time(newsleopard_held_clock, newsleopard_emulator):
            before = newsleopard_emulator.clock.now()
            newsleopard_held_clock.advance(60)
            assert (newsleopard_emulator.clock.now() - before).total_seconds() == 60

        def test_both(newsleopard_held_clock, newsleopard_clock, newsleopard_emulator):
            pass
        """,
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*UsageError: *test_both: an emulator has one clock*"])


def test_marker_sets_the_options(pytester: pytest.Pytester) -> None:
    """That of a test goes before that of its class; switches are put together."""
    result = run(
        pytester,
        """
        import anyio
        import pytest

        @pytest.mark.newsleopard(profile="vendor-2026", balance=7, switches={"odd_links": True})
        class TestPlatform:
            def test_class(self, newsleopard_emulator):
                assert newsleopard_emulator.balance == 7
                assert newsleopard_emulator.switches.later_endpoints
                assert newsleopard_emulator.switches.odd_links

            @pytest.mark.newsleopard(
                balance=8, seed=3, api_keys=("k1", "k2"), switches={"first_page": 1}
            )
            def test_own(self, newsleopard, newsleopard_emulator):
                assert newsleopard_emulator.balance == 8
                assert newsleopard_emulator.switches.first_page == 1
                assert newsleopard_emulator.switches.odd_links

                async def main():
                    return await newsleopard.account.get_balance()

                assert anyio.run(main).mails == 8

        def test_without(newsleopard_emulator):
            assert newsleopard_emulator.switches.first_page == 0
        """,
    )

    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("blance=3", "has no option 'blance'; use profile, switches, balance, seed, api_keys"),
        ("switches={'odd_link': True}", "has no switch 'odd_link'; use odd_links"),
        ("switches={'count_form': 'roman'}", "count_form: must be one of documented, number,"),
        ("profile='vendor'", "profile: must be one of documented, vendor-2026"),
        ("'vendor-2026'", "takes its options by name: profile, switches, balance, seed, api_keys"),
    ],
)
def test_wrong_option_is_a_usage_error(
    pytester: pytest.Pytester, marker: str, message: str
) -> None:
    """The error has the test, what is wrong, and what is known."""
    result = run(
        pytester,
        f"""
        import pytest

        @pytest.mark.newsleopard({marker})
        def test_options(newsleopard_emulator):
            pass
        """,
    )

    result.assert_outcomes(errors=1)
    [line] = [line for line in result.outlines if "UsageError: " in line and "::test_" in line][:1]
    assert message in line


FAILURES = """
    import anyio
    import pytest

    def work(newsleopard):
        async def main():
            for _ in range(11):
                await newsleopard.contacts.create_list("VIP")

        anyio.run(main)

    def test_fails(newsleopard, newsleopard_emulator):
        newsleopard_emulator.throttle("create_list")
        newsleopard_emulator.lose_reply_to("submit_campaign", times=2)
        work(newsleopard)
        newsleopard_emulator.outbox[0]

    def test_passes(newsleopard, newsleopard_emulator):
        work(newsleopard)

    def test_fails_by_itself():
        assert False
"""


def test_failed_test_shows_what_happened_at_the_emulator(pytester: pytest.Pytester) -> None:
    """The last requests with their faults, the pending faults, and what the outbox says."""
    result = run(pytester, FAILURES, "-rP")

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*IndexError: outbox[[]0[]]: the outbox is empty: no campaign was submitted*",
            "*- NewsLeopard emulator (newsleopard_emulator) -*",
            "the clock is at 2026-01-05 02:00:0* UTC",
            "… 2 requests before these",
            "02:00:0*  POST /v1/contacts/lists/insert  create_list  200",
            "pending fault: lose_reply for the next 2 of submit_campaign",
            "<Outbox of 0 mails: no campaign was submitted>",
        ],
        consecutive=False,
    )
    text = result.stdout.str()
    assert text.count("NewsLeopard emulator (") == 1
    assert text.count("POST /v1/contacts/lists/insert") == 10
    assert "test-key" not in text
    assert plugin._EMULATORS == {}


def test_failed_test_shows_a_fault_that_happened(pytester: pytest.Pytester) -> None:
    """The line of a request has its fault, and a dropped request has no answer."""
    result = run(
        pytester,
        """
        import anyio

        def test_fails(newsleopard, newsleopard_emulator):
            newsleopard_emulator.lose_reply_to("create_list")

            async def main():
                await newsleopard.contacts.create_list("VIP")

            anyio.run(main)
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*  create_list  no answer  fault: lose_reply"])


def test_server_is_found_by_the_program_under_test(pytester: pytest.Pytester) -> None:
    """The environment names its URL and key, and it ends with the test."""
    result = run(
        pytester,
        """
        import os
        import httpx
        import pytest

        URLS = []

        @pytest.mark.newsleopard(api_keys=["server-key"], switches={"first_page": 1})
        def test_server(newsleopard_server):
            URLS.append(newsleopard_server.url)
            assert os.environ["NEWSLEOPARD_BASE_URL"] == newsleopard_server.url
            assert os.environ["NEWSLEOPARD_API_KEY"] == newsleopard_server.key == "server-key"
            answer = httpx.get(
                f"{newsleopard_server.url}/v1/contacts/lists",
                headers={"x-api-key": newsleopard_server.key}, trust_env=False,
            )
            assert answer.status_code == 200
            assert newsleopard_server.emulator.count("list_lists") == 1
            assert newsleopard_server.emulator.switches.first_page == 1

        def test_afterwards():
            assert "NEWSLEOPARD_BASE_URL" not in os.environ
            with pytest.raises(httpx.ConnectError):
                httpx.get(URLS[0], trust_env=False)
        """,
    )

    result.assert_outcomes(passed=2)


def test_server_serves_a_client_of_the_test(pytester: pytest.Pytester) -> None:
    """A client that finds it by the environment works on both loops, and leaves nothing open."""
    result = run(
        pytester,
        """
        import pytest
        from newsleopard_async import NewsLeopard

        @pytest.mark.anyio
        async def test_list(newsleopard_server):
            async with NewsLeopard() as nl:
                list_sn = await nl.contacts.create_list("VIP會員名單")

            assert newsleopard_server.emulator.lists[0].sn == list_sn
        """,
        *("-p", "no:asyncio"),
    )

    result.assert_outcomes(passed=2)


MISSING = """
    def test_emulator(newsleopard_emulator): pass
    def test_client(newsleopard): pass
    def test_server(newsleopard_server): pass
    def test_clock(newsleopard_clock): pass
    def test_other(): pass
"""


@pytest.mark.slow
@pytest.mark.parametrize(("library", "errors"), [("starlette", 3), ("uvicorn", 1)])
def test_missing_extra_is_told_by_the_fixture_that_needs_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, library: str, errors: int
) -> None:
    """All other tests run, because the plugin is also installed without the extra."""
    # Where it is set, pytest repeats each message as a whole in its summary.
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(MISSING)
    pytester.makeconftest(f"import sys\nsys.modules[{library!r}] = None\n")

    result = pytester.runpytest_subprocess(*PLUGIN, *BARE)

    result.assert_outcomes(passed=5 - errors, errors=errors)
    assert (
        result.stdout.str().count(
            f"the fixtures of NewsLeopard's emulator need {library}; install it with "
            'pip install "newsleopard-async[emulator]"'
        )
        == errors
    )
    assert "Traceback" not in result.stdout.str()


@pytest.mark.slow
def test_workers_of_xdist_do_not_meet(pytester: pytest.Pytester) -> None:
    """Each server has a separate port, and the report of a failure also comes from a worker."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_server(newsleopard_server, number):
            assert number < 5
        """
    )

    result = pytester.runpytest_subprocess(*PLUGIN, *BARE, "-pxdist", "-n", "2")

    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["*- NewsLeopard emulator (newsleopard_server) -*"])


@pytest.mark.source_tree
def test_pytest_finds_the_plugin() -> None:
    """It is an entry point of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["entry-points"]["pytest11"] == {
        "newsleopard": "newsleopard_async.testing.plugin"
    }

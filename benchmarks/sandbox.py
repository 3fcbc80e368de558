"""The served emulator: start, memory, and the time until a mail is on the page.

``python -m benchmarks.sandbox [--mails 100000]``; Linux only. Each server is the command
``newsleopard emulator`` in a separate process, and is used only over HTTP:

- the time from its start until it answers, and until its page is loaded; the median of five;
- its memory at the start, and with one campaign of so many mails; the time of the page of mails and
  of a search without a result then;
- the time from the answer to a submit until its first mail is in the page's HTML, for a browser
  that listens to the events; the median of twenty.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs
import httpx

from benchmarks.measuring import BODY, MIB, QUICK, heading, memory_bytes

KEY: Final = {"x-api-key": "benchmark-key"}
STARTS: Final = 5
MAILINGS: Final = 20
COMMAND: Final = (
    *(sys.executable, "-m", "newsleopard_async.cli", "emulator"),
    *("--port", "0", "--api-key", KEY["x-api-key"], "--quiet"),
)
AT_ONCE: Final = (
    *(word for each in QUICK.items() for word in ("--set", "{}={}".format(*each).lower())),
    *("--balance", "10000000"),
)


@attrs.define
class Served:
    """A server in a separate process.

    Attributes:
        url: Its URL. pid: The id of its process. answered_s: The time from its start until it
        answered.
    """

    url: str
    pid: int
    answered_s: float

    @property
    def memory_mib(self) -> float:
        return memory_bytes(self.pid, "VmRSS") / MIB


@contextmanager
def served(*options: str) -> Iterator[Served]:
    began_s = time.perf_counter()
    process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = ""
        while "http://" not in said:
            said = process.stdout.readline()
            assert said, "the emulator printed nothing"
        url = "http://" + said.partition("http://")[2].split()[0].rstrip("/")
        httpx.get(f"{url}/_emulator/health", trust_env=False).raise_for_status()
        yield Served(url, process.pid, time.perf_counter() - began_s)
    finally:
        process.terminate()
        process.wait()


def measure_start() -> None:
    answered, opened = [], []
    for _ in range(STARTS):
        began_s = time.perf_counter()
        with served() as server:
            answered.append(server.answered_s)
            httpx.get(server.url, trust_env=False).raise_for_status()
            opened.append(time.perf_counter() - began_s)
    print(f"| from the start to the first answer | {statistics.median(answered):.2f} s |")
    print(f"| from the start to the page | {statistics.median(opened):.2f} s |")


def filled_list(api: httpx.Client, storage: httpx.Client, count: int) -> str:
    """Create a list with this number of contacts."""
    sn = str(api.post("/v1/contacts/lists/insert", json={"name": "會員"}).json()["sn"])
    ticket = api.post(f"/v1/contacts/imports/{sn}/file", json={}).json()
    rows = "".join(f"reader{number}@example.com,會員{number}\n" for number in range(count))
    storage.put(ticket["url"], content=f"EMAIL,NAME\n{rows}".encode()).raise_for_status()
    result = f"/v1/contacts/imports/result/{ticket['import_sn']}"
    wait_until(lambda: api.get(result).json()["status"] == "COMPLETE")
    return sn


def submit(api: httpx.Client, list_sn: str, name: str) -> None:
    form = {"name": name, "selectedLists": [list_sn], "excludeLists": []}
    content = {**BODY["content"], "subject": name}
    body = {**BODY, "form": form, "content": content}
    api.post("/v1/campaign/normal/submit", json=body).raise_for_status()


def wait_until(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until_s, "a minute has passed"
        time.sleep(0.01)


@contextmanager
def clients(url: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    options: dict[str, Any] = {"trust_env": False, "timeout": 60}
    with (
        httpx.Client(base_url=url, headers=KEY, **options) as api,
        httpx.Client(base_url=url, **options) as page,
    ):
        yield api, page


def measure_memory(mails: int) -> None:
    with served(*AT_ONCE) as server, clients(server.url) as (api, page):
        page.get("/")
        print(f"| memory, empty | {server.memory_mib:.0f} MiB |")
        submit(api, filled_list(api, page, mails), "週年慶")
        wait_until(lambda: page.get("/_emulator/").json()["mails"] == mails)
        print(f"| memory with {mails:,} mails | {server.memory_mib:.0f} MiB |")
        for name, path in (
            ("the page of mails then", "/_emulator/ui/mails"),
            ("a search that finds nothing", "/_emulator/ui/mails?q=nothing-like-it"),
        ):
            began_s = time.perf_counter()
            page.get(path).raise_for_status()
            print(f"| {name} | {1000 * (time.perf_counter() - began_s):.0f} ms |")
        print(f"| memory after both | {server.memory_mib:.0f} MiB |")


def measure_first_mail() -> None:
    taken = []
    with served(*AT_ONCE) as server, clients(server.url) as (api, page):
        list_sn = filled_list(api, page, 1)
        for number in range(MAILINGS):
            changed, listening = threading.Event(), threading.Event()
            listener = threading.Thread(target=listen, args=(server.url, listening, changed))
            listener.start()
            listening.wait()
            subject = f"mailing {number}"
            submit(api, list_sn, subject)
            began_s = time.perf_counter()
            changed.wait()
            wait_until(lambda subject=subject: subject in page.get("/_emulator/ui/mails").text)  # type: ignore[misc]  # the default is its type
            taken.append(time.perf_counter() - began_s)
            listener.join()
    print(f"| from a submit to its mail on the page | {1000 * statistics.median(taken):.0f} ms |")


def listen(url: str, listening: threading.Event, changed: threading.Event) -> None:
    """Wait for the first change after the initial one of the stream."""
    with httpx.stream("GET", f"{url}/_emulator/events", trust_env=False, timeout=60) as events:
        seen = 0
        for line in events.iter_lines():
            listening.set()
            seen += line.startswith("event: change")
            if seen > 1:
                break
    changed.set()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=100_000)
    mails = parser.parse_args().mails
    print(heading(), end="\n\n")
    print("| | |\n|---|---|")
    measure_start()
    measure_memory(mails)
    measure_first_mail()


if __name__ == "__main__":
    main()

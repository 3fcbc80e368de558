"""Check a file of 1,000,000 contacts in six columns, and compare it with only reading the file.

``python -m benchmarks.contacts [--rows N]`` needs the dependency group ``bench``. Three files have
the same contacts: plain, with each cell in quotes as in exports of databases and newsletter
services (and a comma in a cell of every tenth row), and in Big5. Each contender runs in a separate
process, including its imports. Memory is the peak of the whole process. The other contenders do
less: they read rows, and do not check or write any. "×" is the CPU time divided by the time of
csv.reader on the same file in the same round.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from benchmarks.measuring import MIB, heading, peak_bytes, run_again

PIECE_BYTES: Final = 256 * 1024
ROUNDS: Final = 3
MOST_TIMES: Final = 5.0
MOST_MIB: Final = 200.0
"""Chosen: the goals that docs/checks.md publishes."""
JUDGED: Final = "check_contacts"
YARDSTICK: Final = "csv.reader, rows only"

FAMILY_NAMES: Final = "陳林黃張李王吳劉蔡楊許鄭謝洪郭邱曾廖賴徐"
GIVEN_NAMES: Final = "志明淑芬俊傑雅婷家豪怡君建宏美玲冠宇佳穎"
CITIES: Final = ("台北市", "新北市", "桃園市", "台中市", "台南市", "高雄市")
DOMAINS: Final = ("gmail.com", "yahoo.com.tw", "hotmail.com", "msa.hinet.net", "example.org")


def write_contacts(path: Path, rows: int, form: str) -> None:
    """Write different contacts, the same in each run.

    Args:
        path: The file.
        rows: The number of contacts.
        form: The format: ``plain``, ``quoted`` or ``big5``.
    """
    chance = random.Random(1)
    encoding = "cp950" if form == "big5" else "utf-8"
    is_quoted = form == "quoted"
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(
            file,
            quoting=csv.QUOTE_ALL if is_quoted else csv.QUOTE_MINIMAL,
            lineterminator="\n",
        )
        writer.writerow(("EMAIL", "NAME", "城市", "點數", "生日", "手機"))
        for index in range(rows):
            email = f"user{index}.{chance.randrange(100_000)}@{chance.choice(DOMAINS)}"
            name = chance.choice(FAMILY_NAMES) + "".join(chance.choices(GIVEN_NAMES, k=2))
            born = (
                f"{chance.randrange(1950, 2010)}-{chance.randrange(1, 13):02}-{index % 28 + 1:02}"
            )
            phone = f"09{chance.randrange(100):02}-{index % 1000:03}-{chance.randrange(1000):03}"
            city = chance.choice(CITIES)
            if is_quoted and index % 10 == 0:
                city += ", 台灣"
            writer.writerow((email, name, city, chance.randrange(5000), born, phone))


def check_contacts(path: Path) -> int:
    """Check with the public function."""
    import anyio

    import newsleopard_async

    report = anyio.run(newsleopard_async.check_contacts, path)
    assert report.ok, report
    return report.rows


def examine(path: Path) -> int:
    """Check without files and event loop: only the pure functions."""
    from newsleopard_async.contacts.csv.detection import EncodingDetector
    from newsleopard_async.contacts.rules.checker import ContactsChecker

    detector = EncodingDetector()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            detector.feed(piece)
        checker = ContactsChecker(detector.finish())
        file.seek(0)
        while piece := file.read(PIECE_BYTES):
            checker.feed(piece)
    checker.finish()
    report = checker.report()
    assert report.ok, report
    return report.rows


def read_csv_module(path: Path) -> int:
    """Only read the rows, with the standard library."""
    encoding = "cp950" if path.stem == "big5" else "utf-8"
    with path.open(encoding=encoding, newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def read_pandas(path: Path) -> int:
    """Read the rows as pandas does by default."""
    encoding = "cp950" if path.stem == "big5" else "utf-8"
    return len(importlib.import_module("pandas").read_csv(path, encoding=encoding))


def read_polars(path: Path) -> int:
    """Read the rows as polars does by default, with one thread per core."""
    encoding = "cp950" if path.stem == "big5" else "utf8"
    return len(importlib.import_module("polars").read_csv(path, encoding=encoding))


CONTENDERS: Final[dict[str, tuple[str, Callable[[Path], int]]]] = {
    YARDSTICK: ("Python", read_csv_module),
    JUDGED: ("newsleopard-async", check_contacts),
    "the core alone": ("newsleopard-async", examine),
    "pandas.read_csv, rows only": ("pandas", read_pandas),
    "polars.read_csv, rows only": ("polars", read_polars),
}
FORMS: Final = {
    "plain": "as they are",
    "quoted": "each cell in quotes",
    "big5": "in Big5",
}


def version_of(library: str) -> str | None:
    """Return the version of a library, or None if it is not installed."""
    if library == "Python":
        return sys.version.split()[0]
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def measure(name: str, path: Path) -> None:
    began_s = time.perf_counter()
    rows = CONTENDERS[name][1](path)
    took_s = time.perf_counter() - began_s
    print(json.dumps([rows, took_s, time.process_time(), peak_bytes() / MIB]))


def compare(rows: int) -> None:
    print(f"{heading()}\nmedians of {ROUNDS} rounds")
    with tempfile.TemporaryDirectory() as folder:
        judged = [compare_file(Path(folder, f"{form}.csv"), rows) for form in FORMS]
    times, peak_mib = map(max, zip(*judged, strict=True))
    holds = "holds" if times <= MOST_TIMES and peak_mib <= MOST_MIB else "DOES NOT HOLD"
    print(
        f"\nThe aim is {MOST_TIMES:g} × csv.reader and {MOST_MIB:g} MiB: it {holds} "
        f"({times:.1f} ×, {peak_mib:.0f} MiB)"
    )


def compare_file(path: Path, rows: int) -> tuple[float, float]:
    """Print a table, and return how many times csv.reader the check took, and its MiB."""
    run_again("--write", str(path), "--rows", str(rows))
    size_mib = path.stat().st_size / MIB
    print(f"\n{rows:,} rows of 6 columns {FORMS[path.stem]}, {size_mib:.1f} MiB")
    print(f"{'':52}{'s':>7}{'CPU s':>8}{'×':>6}{'MiB':>8}")
    found = {name: library for name, (library, _) in CONTENDERS.items() if version_of(library)}
    # Round by round, so that other load of the machine is the same for all.
    rounds = [
        {name: json.loads(run_again("--measure", name, str(path))) for name in found}
        for _ in range(ROUNDS)
    ]
    judged = (0.0, 0.0)
    for name, (library, _) in CONTENDERS.items():
        if name not in found:
            print(f"{name}: not installed")
            continue
        mine = [[*each[name], each[name][2] / each[YARDSTICK][2]] for each in rounds]
        counted, took_s, cpu_s, peak_mib, times = map(statistics.median, zip(*mine, strict=True))
        assert counted == rows
        title = f"{name} ({library} {version_of(library)})"
        print(f"{title:52}{took_s:7.2f}{cpu_s:8.2f}{times:6.1f}{peak_mib:8.1f}")
        if name == JUDGED:
            judged = times, peak_mib
    return judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write is not None:
        write_contacts(arguments.write, arguments.rows, arguments.write.stem)
    elif arguments.measure is not None:
        name, path = arguments.measure
        measure(name, Path(path))
    else:
        compare(arguments.rows)


if __name__ == "__main__":
    main()

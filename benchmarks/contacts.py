"""Check a file of 1,000,000 contacts in six columns: seconds and peak memory.

``python -m benchmarks.contacts [--rows N]`` needs the dependency group ``bench``. Each contender
runs in a process of its own, with every import that it takes; memory is the whole process's at
its peak. What others do is less: they read rows, and neither judge nor write any.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

MIB: Final = 1024 * 1024
PIECE_BYTES: Final = 256 * 1024
ROUNDS: Final = 3
MOST_S: Final = 20.0
MOST_MIB: Final = 200.0

FAMILY_NAMES: Final = "陳林黃張李王吳劉蔡楊許鄭謝洪郭邱曾廖賴徐"
GIVEN_NAMES: Final = "志明淑芬俊傑雅婷家豪怡君建宏美玲冠宇佳穎"
CITIES: Final = ("台北市", "新北市", "桃園市", "台中市", "台南市", "高雄市")
DOMAINS: Final = ("gmail.com", "yahoo.com.tw", "hotmail.com", "msa.hinet.net", "example.org")


def write_contacts(path: Path, rows: int) -> None:
    """Write different contacts, the same ones each time."""
    chance = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("EMAIL,NAME,城市,點數,生日,手機\n")
        for index in range(rows):
            email = f"user{index}.{chance.randrange(100_000)}@{chance.choice(DOMAINS)}"
            name = chance.choice(FAMILY_NAMES) + "".join(chance.choices(GIVEN_NAMES, k=2))
            born = (
                f"{chance.randrange(1950, 2010)}-{chance.randrange(1, 13):02}-{index % 28 + 1:02}"
            )
            phone = f"09{chance.randrange(100):02}-{index % 1000:03}-{chance.randrange(1000):03}"
            cells = (email, name, chance.choice(CITIES), str(chance.randrange(5000)), born, phone)
            file.write(",".join(cells) + "\n")


def check_contacts(path: Path) -> int:
    """Check as a caller does."""
    import anyio

    import newsleopard_async

    report = anyio.run(newsleopard_async.check_contacts, path)
    assert report.ok, report
    return report.rows


def examine(path: Path) -> int:
    """Check without files and event loop: the pure core."""
    from newsleopard_async.contacts.csv.detection import EncodingDetector
    from newsleopard_async.contacts.rules.examiner import Examiner

    detector = EncodingDetector()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            detector.feed(piece)
        examiner = Examiner(detector.finish())
        file.seek(0)
        while piece := file.read(PIECE_BYTES):
            examiner.feed(piece)
    examiner.finish()
    report = examiner.report()
    assert report.ok, report
    return report.rows


def read_csv_module(path: Path) -> int:
    """Read the rows by the standard library, and nothing else."""
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def read_pandas(path: Path) -> int:
    """Read the rows as pandas does by default."""
    return len(importlib.import_module("pandas").read_csv(path))


CONTENDERS: Final[dict[str, tuple[str, Callable[[Path], int]]]] = {
    "check_contacts": ("newsleopard-async", check_contacts),
    "the core alone": ("newsleopard-async", examine),
    "csv.reader, rows only": ("Python", read_csv_module),
    "read_csv, rows only": ("pandas", read_pandas),
}


def version_of(library: str) -> str | None:
    """Return the version of a library, or None where it is not installed."""
    if library == "Python":
        return sys.version.split()[0]
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def peak_bytes() -> int:
    """Return this process's own mark; on Linux, ru_maxrss would begin with its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = re.findall(r"VmHWM:\s*(\d+) kB", status.read_text())
        return int(line) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(name: str, path: Path) -> None:
    began_s = time.perf_counter()
    rows = CONTENDERS[name][1](path)
    took_s = time.perf_counter() - began_s
    print(json.dumps([rows, took_s, time.process_time(), peak_bytes() / MIB]))


def run(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.contacts", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout


def compare(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "contacts.csv")
        run("--write", str(path), "--rows", str(rows))
        size_mib = path.stat().st_size / MIB
        print(f"Python {version_of('Python')}, {os.cpu_count()} cores; medians of {ROUNDS} rounds")
        print(f"{rows:,} rows of 6 columns, {size_mib:.1f} MiB; the aim is {MOST_S:g} s, ", end="")
        print(f"{MOST_MIB:g} MiB\n\n{'':48}{'s':>7}{'CPU s':>8}{'MiB':>8}")
        for name, (library, _) in CONTENDERS.items():
            if (found := version_of(library)) is None:
                print(f"{library}, {name}: not installed")
                continue
            rounds = [json.loads(run("--measure", name, str(path))) for _ in range(ROUNDS)]
            counted, took_s, cpu_s, peak_mib = map(statistics.median, zip(*rounds, strict=True))
            assert counted == rows
            print(f"{f'{library} {found}, {name}':48}{took_s:7.2f}{cpu_s:8.2f}{peak_mib:8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write is not None:
        write_contacts(arguments.write, arguments.rows)
    elif arguments.measure is not None:
        name, path = arguments.measure
        measure(name, Path(path))
    else:
        compare(arguments.rows)


if __name__ == "__main__":
    main()

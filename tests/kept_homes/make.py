"""Makes a kept home: the state folder of a small chain that this version ran, packed for later versions to go on with.

python -m tests.kept_homes.make FOLDER ARCHIVE
"""

import argparse
import importlib.metadata
import json
import os
import tarfile
import urllib.request
from pathlib import Path
from typing import Any

from tests.homes import Home

CHAIN = ("--orders", "1800", "--customers", "60", "--start", "2022-01-01", "--end", "2022-03-03")
"""The smallest chain whose first model and whose second one have the hundred holdout orders that the gates ask for."""

PASSES = (
    ("2022-02-16T12:00:00+00:00", "2022-02-15"),
    ("2022-02-28T12:00:00+00:00", "2022-02-27"),
    ("2022-03-02T12:00:00+00:00", "2022-03-01"),
)
"""When each pass ran, and the last date whose files had landed by then. The days after the last one are kept for later."""

NOW_LATER = "2022-03-04T12:00:00+00:00"
WINDOWS = {"GLOBOLATTE_WINDOW_ORDERS": "150", "GLOBOLATTE_WINDOW_DAYS": "7"}
"""So that monitoring has evaluated something."""

REPLACED = "sales/usa/2022/02/05/sales.csv"
REFUSED = "sales/usa/2022/02/17/broken.csv"
MISPLACED = "sales/atlantis/2022/02/20/sales.csv"
SOME_BAD = "sales/mexico/2022/02/19/late.csv"
HELD = "sales/canada/2022/02/22/till.csv"
RELEASED = "sales/canada/2022/02/23/till.csv"
TWICE = "sales/usa/2022/02/25/twice.csv"
"""Retracted before the home was packed."""
CORRECTED_LATER = "sales/canada/2022/02/12/sales.csv"
RETRACTED_LATER = "sales/usa/2022/02/24/sales.csv"

WHO, WHY = "ana", "because"

REGENERABLE = ("dbt", "logs", "truth", "endpoints/logs", "endpoints/port")
"""Not packed: what is made anew, what only people read, and what only the machine it was made on can know."""

QUESTIONS = [
    {"customer_id": f"C{number:04d}", "region": region, "weather": weather, "date": "2022-03-02", "daypart": "morning"}
    for number, region, weather in ((1, "Canada", "Snowy"), (2, "USA", "Sunny"), (3, "Mexico", "Cloudy"))
]
ASKED = (
    "recommend",
    "--customer",
    "C0001",
    "--region",
    "Canada",
    "--weather",
    "Snowy",
    "--date",
    "2022-03-02",
    "--json",
)


def changed(original: Path, prefix: str, *, good: int, bad: int = 0) -> bytes:
    """Lines of a file as other orders, the first `bad` ones with a quantity that is none."""
    header, *lines = original.read_text().splitlines()
    assert len(lines) >= good + bad, f"{original} has {len(lines)} lines"
    rows = [line.split(",") for line in lines[: good + bad]]
    quantity = header.split(",").index("quantity")
    for number, row in enumerate(rows):
        row[0], row[1] = f"{prefix}{row[0]}", f"{prefix}{row[1]}"
        if number < bad:
            row[quantity] = "two"
    return "\n".join([header, *map(",".join, rows), ""]).encode()


def without_last_line(file: Path) -> bytes:
    return "".join(file.read_text().splitlines(keepends=True)[:-1]).encode()


def written_by_hand(sales: Path) -> list[dict[str, bytes]]:
    """What landed besides the units' daily files: by pass, by path."""
    duplicate = sales.joinpath(SOME_BAD).with_name("sales.csv").read_text().splitlines()[1]
    return [
        {},
        {
            REPLACED: without_last_line(sales / REPLACED),
            REFUSED: b"no such columns\n1\n",
            MISPLACED: (sales / REPLACED).read_bytes(),
            SOME_BAD: changed(sales / (SOME_BAD.replace("late", "sales")), "L", good=6, bad=1)
            + f"{duplicate}\n".encode(),
            HELD: changed(sales / HELD.replace("till", "sales"), "H", good=1, bad=2),
            RELEASED: changed(sales / RELEASED.replace("till", "sales"), "R", good=4, bad=2),
            TWICE: changed(sales / TWICE.replace("twice", "sales"), "W", good=5),
        },
        {},
    ]


def put(folder: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def daily(sales: Path, after: str, until: str) -> dict[str, bytes]:
    """The units' files of the dates after one and until another."""
    files = {file.relative_to(sales).as_posix(): file for file in sales.glob("sales/*/*/*/*/sales.csv")}
    dates = {path: "-".join(path.split("/")[2:5]) for path in files}
    return {path: file.read_bytes() for path, file in sorted(files.items()) if after < dates[path] <= until}


def ask_endpoint(home: Home) -> list[dict[str, Any]]:
    """Asks as a program would."""
    state = json.loads(home.ok("endpoints", "list", "--json"))
    key = (home.folder / "endpoints" / "key").read_text().strip()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{state['url']}/score", json.dumps(QUESTIONS).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        answers: list[dict[str, Any]] = json.load(response)["recommendations"]
    return answers


def said(*words: object) -> None:
    print(*words, flush=True)


def steps_of(home: Home, folder: Path, now: str) -> list[list[str]]:
    """What people did after the second pass; the commands, corrected rows by the archive's file."""
    mended = folder / "mended.csv"
    home.ok("quarantine", "release", RELEASED, "--note", WHY, GLOBOLATTE_NOW=now)
    home.ok("quarantine", "export", RELEASED, "--out", str(mended))
    header, first, *_ = mended.read_text(encoding="utf-8-sig").splitlines()
    mended.write_text("\n".join([header, first.replace("two", "2"), ""]))
    commands = [
        ["quarantine", "release", RELEASED, "--rows", str(mended), "--note", WHY],
        ["retract", TWICE, "--yes", "--note", WHY],
    ]
    for command in commands:
        said(home.ok(*command, GLOBOLATTE_NOW=now))
    return [["approve", RELEASED], ["release", RELEASED, mended.name], ["retract", TWICE]]


def make(folder: Path) -> None:
    """Everything that is packed, into an empty folder."""
    home, sales = Home(folder / "home"), folder / "chain" / "landing"
    Home(folder / "chain").simulate(*CHAIN)
    by_hand, after, passes = written_by_hand(sales), "", []
    os.chdir(folder)
    for number, ((now, until), extra) in enumerate(zip(PASSES, by_hand, strict=True), start=1):
        steps: list[list[str]] = []
        landed = {**daily(sales, after, until), **extra}
        if number == 1:
            landed |= {f"reference/{file.name}": file.read_bytes() for file in (sales / "reference").iterdir()}
        if number == len(PASSES):
            steps = steps_of(home, folder, now)
        put(folder / "landed" / str(number), landed)
        put(home.folder / "landing", landed)
        said(home.ok("run", GLOBOLATTE_NOW=now, **WINDOWS))
        if number == 1:
            said(home.ok("models", "approve", "1", "--by", WHO, "--why", WHY, GLOBOLATTE_NOW=now))
        if number == 2:
            offers = ("--product", "Cold Brew", "--budget", "5", "--days", "7")
            said(home.ok("campaign", *offers, GLOBOLATTE_NOW=now))
        passes.append({"now": now, "files": f"landed/{number}", "steps_before": steps})
        after = until
    online(home, folder)
    put(folder / "later" / "new_days", daily(sales, after, "9999"))
    put(folder / "later" / "corrected", {CORRECTED_LATER: without_last_line(sales / CORRECTED_LATER)})
    (folder / "later" / "retract.txt").write_text(f"{RETRACTED_LATER}\n")
    made = {
        "version": importlib.metadata.version("globolatte"),
        "folder": str(home.folder),
        "passes": passes,
        "later": NOW_LATER,
        "asked": ASKED,
        "answer": json.loads(home.ok(*ASKED)),
        "questions": QUESTIONS,
        "answers": json.loads((folder / "answers.json").read_text()),
    }
    (folder / "made.json").write_text(json.dumps(made, indent=1))
    said(home.ok("doctor").rpartition("┘")[2])


def online(home: Home, folder: Path) -> None:
    """The champion behind the endpoint, asked, stopped; what it answered is in the warehouse then."""
    now = PASSES[-1][0]
    try:
        said(home.ok("endpoints", "deploy", GLOBOLATTE_PREDICTION_LOG_SECONDS="1"))
        said(home.ok("endpoints", "stop"), home.ok("endpoints", "start", GLOBOLATTE_PREDICTION_LOG_SECONDS="1"))
        (folder / "answers.json").write_text(json.dumps(ask_endpoint(home)))
        assert json.loads(home.ok(*ASKED))["products"]
    finally:
        home.ok("endpoints", "stop")
    said(home.ok("run", GLOBOLATTE_NOW=now, **WINDOWS))
    assert home.ok("run", GLOBOLATTE_NOW=now, **WINDOWS).startswith("Nothing to do")


def pack(folder: Path, archive: Path) -> None:
    """The same content gives the same bytes: sorted, without owners and times."""
    home = folder / "home"
    with tarfile.open(archive, "w:xz", preset=9 | (1 << 31), format=tarfile.PAX_FORMAT) as tar:
        for file in sorted(folder.rglob("*")):
            inside = file.relative_to(home).as_posix() if file.is_relative_to(home) else ""
            if inside.startswith(REGENERABLE) or file.suffix == ".html" or not file.is_file():
                continue
            if file.is_relative_to(folder / "chain") or file == folder / "answers.json":
                continue
            entry = tar.gettarinfo(str(file), file.relative_to(folder).as_posix())
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            entry.mode = 0o600 if file.name == "key" else 0o644
            with file.open("rb") as content:
                tar.addfile(entry, content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="an empty or new folder to make it in; its path gets into the home")
    parser.add_argument("archive", type=Path)
    chosen = parser.parse_args()
    folder, archive = chosen.folder.resolve(), chosen.archive.resolve()
    folder.mkdir(parents=True)
    os.environ["LOGNAME"] = WHO
    make(folder)
    pack(folder, archive)
    said(f"{archive}: {archive.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

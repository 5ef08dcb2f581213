"""Measures cold starts: `python -m benchmarks.cold_start`, a part of `make bench`.

Each function's app is imported, which creates its clients, in a fresh process that finds only the function's folder and
the layer, as `make build` builds it. The processor time is measured from the first import on, without Python's start.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from local import ROOT
from tests.stack import make_stack

REPORT: Final = ROOT / "docs" / "cold-start.md"
#: The least that a function with a log and a client of AWS imports.
FLOOR: Final = "import boto3\nfrom aws_lambda_powertools import Logger\nLogger()\nboto3.client('dynamodb')"
APP: Final = "import app"
MOST_OF_FLOOR: Final = 1.8
_PROGRAM: Final = """
import sys, time
sys.path[:0] = [{folder!r}, {layer!r}]
begin = time.process_time()
{statement}
print(time.process_time() - begin)
"""


def build(folder: Path) -> Path:
    """Build the layer with its own makefile, and return where its packages are."""
    source, built = folder / "source", folder / "layer"
    shutil.copytree(ROOT / "layers/jobferry", source, ignore=shutil.ignore_patterns("__pycache__"))
    machine = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["make", "-s", "-f", f"{machine}/Makefile", "build-JobferryLayer", f"ARTIFACTS_DIR={built}"],
        cwd=source,
        env={**os.environ, "PATH": path},
        check=True,
    )
    return built / "python"


def seconds(statement: str, layer: Path, folder: Path, variables: dict[str, str]) -> float:
    """Return the processor time of a statement in a fresh process. Like Lambda's, it cannot write bytecode."""
    program = _PROGRAM.format(folder=str(folder), layer=str(layer), statement=statement)
    python = getattr(
        sys, "_base_executable", sys.executable
    )  # not the virtual environment's, which would find its packages
    ended = subprocess.run(
        [python, "-I", "-S", "-B", "-c", program], env=variables, check=True, stdout=subprocess.PIPE, text=True
    )
    return float(ended.stdout)


def environments() -> dict[Path, dict[str, str]]:
    """Return each function's folder and the variables that the template gives it."""
    lambdas = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    credentials = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    return {
        ROOT / each.properties["Code"]["S3Key"]: {
            name: str(value) for name, value in each.properties["Environment"]["Variables"].items()
        }
        | lambdas
        | credentials
        for each in make_stack().of_type("AWS::Lambda::Function")
    }


def measure(rounds: int) -> dict[str, list[float]]:
    """Measure the floor and each function, with bytecode and without, once in each round."""
    found: dict[str, list[float]] = {}
    functions = environments()
    with tempfile.TemporaryDirectory(prefix="jobferry-cold-") as directory:
        compiled, plain = build(Path(directory)), Path(directory) / "plain"
        shutil.copytree(compiled, plain, ignore=shutil.ignore_patterns("__pycache__"))
        variables_of_any = next(iter(functions.values()))
        for _ in range(rounds):
            found.setdefault("floor", []).append(seconds(FLOOR, compiled, compiled, variables_of_any))
            for folder, variables in functions.items():
                found.setdefault(folder.name, []).append(seconds(APP, compiled, folder, variables))
                found.setdefault(f"{folder.name}, plain", []).append(seconds(APP, plain, folder, variables))
    return found


def report(found: dict[str, list[float]]) -> str:
    """Write the page."""

    def milliseconds(name: str) -> str:
        return f"{statistics.median(found[name]) * 1000:.0f} ms"

    def ratio(name: str) -> str:
        values = [one / floor for one, floor in zip(found[name], found["floor"], strict=True)]
        median = statistics.median(values)
        missed = "" if median <= MOST_OF_FLOOR else " **missed**"
        return f"{median:.2f} ({min(values):.2f} to {max(values):.2f}){missed}"

    names = [name for name in found if f"{name}, plain" in found]
    rows = [f"| {name} | {milliseconds(name)} | {ratio(name)} | {milliseconds(f'{name}, plain')} |" for name in names]
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return "\n".join(
        [
            "# Cold start",
            "",
            f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {machine}, {len(found['floor'])} rounds.",
            "",
            "The processor time that a function takes to import its `app.py` and to create its clients, in a fresh process. The floor",
            f"is Powertools' Logger and one boto3 client: {milliseconds('floor')}. The layer contains bytecode; the last column shows the same",
            "layer without it. All times are medians. A ratio compares two times of the same round; its range is in parentheses.",
            "",
            f"| function | time | ratio to the floor (≤ {MOST_OF_FLOOR}) | without bytecode |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.cold_start", description="Measures cold starts.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-report", action="store_true", help="leave docs/cold-start.md as it is")
    options = parser.parse_args()
    page = report(measure(options.rounds))
    print(page)
    if not options.no_report:
        REPORT.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())

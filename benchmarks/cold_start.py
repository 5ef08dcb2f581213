"""What a function does before its first event: `python -m benchmarks.cold_start`, a part of `make bench`.

Each function's app is imported, which makes its clients, in a fresh process whose path is the function's folder and the
layer, as `make build` makes it; beside it the floor, and the same layer without its bytecode, which is what a plain
`sam build` makes. What is measured is processor time from the first import on; Python's own start is the same for all.
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
#: What no function on AWS with a log can do without.
FLOOR: Final = "import boto3\nfrom aws_lambda_powertools import Logger\nLogger()\nboto3.client('dynamodb')"
APP: Final = "import app"
MOST_OF_FLOOR: Final = 1.5
MOST_OF_PLAIN: Final = 0.6
_PROGRAM: Final = """
import sys, time
sys.path[:0] = [{folder!r}, {layer!r}]
begin = time.process_time()
{statement}
print(time.process_time() - begin)
"""


def build(folder: Path) -> tuple[Path, Path]:
    """The layer, made by its own makefile, and the same without bytecode."""
    source, made, plain = folder / "source", folder / "layer", folder / "plain"
    shutil.copytree(ROOT / "layers/jobferry", source, ignore=shutil.ignore_patterns("__pycache__"))
    machine = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["make", "-s", "-f", f"{machine}/Makefile", "build-JobferryLayer", f"ARTIFACTS_DIR={made}"],
        cwd=source,
        env={**os.environ, "PATH": path},
        check=True,
    )
    shutil.copytree(made, plain, ignore=shutil.ignore_patterns("__pycache__"))
    return made / "python", plain / "python"


def seconds(statement: str, layer: Path, folder: Path, variables: dict[str, str]) -> float:
    """Processor time of the statement in a process of its own that cannot write bytecode, as Lambda's cannot."""
    program = _PROGRAM.format(folder=str(folder), layer=str(layer), statement=statement)
    python = getattr(sys, "_base_executable", sys.executable)  # no virtual environment, whose packages would be found
    ended = subprocess.run(
        [python, "-I", "-S", "-B", "-c", program], env=variables, check=True, stdout=subprocess.PIPE, text=True
    )
    return float(ended.stdout)


def environments() -> dict[Path, dict[str, str]]:
    """The folders of the functions, and what the template gives them."""
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
    """The floor, and each function with bytecode and without, once in each round."""
    found: dict[str, list[float]] = {}
    functions = environments()
    with tempfile.TemporaryDirectory(prefix="jobferry-cold-") as directory:
        compiled, plain = build(Path(directory))
        anything = next(iter(functions.values()))
        for _ in range(rounds):
            found.setdefault("floor", []).append(seconds(FLOOR, compiled, compiled, anything))
            for folder, variables in functions.items():
                found.setdefault(folder.name, []).append(seconds(APP, compiled, folder, variables))
                found.setdefault(f"{folder.name}, plain", []).append(seconds(APP, plain, folder, variables))
    return found


def report(found: dict[str, list[float]]) -> str:
    """The page."""

    def milliseconds(name: str) -> str:
        return f"{statistics.median(found[name]) * 1000:.0f} ms"

    def ratio(name: str, to: str, most: float) -> str:
        values = [one / other for one, other in zip(found[name], found[to], strict=True)]
        median = statistics.median(values)
        missed = "" if median <= most else " **missed**"
        return f"{median:.2f} ({min(values):.2f} to {max(values):.2f}){missed}"

    names = [name for name in found if f"{name}, plain" in found]
    rows = [
        f"| {name} | {milliseconds(name)} | {ratio(name, 'floor', MOST_OF_FLOOR)} | {milliseconds(f'{name}, plain')} | "
        f"{ratio(name, f'{name}, plain', MOST_OF_PLAIN)} |"
        for name in names
    ]
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return "\n".join(
        [
            "# Cold start",
            "",
            f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {machine}; {len(found['floor'])} rounds, all measures in each.",
            "",
            "What a function does before its first event, in a fresh process: the imports of its `app.py` and its clients, as",
            "processor time. The layer is built with its bytecode by `sam build` (`layers/jobferry/layer.mk`); `plain` is the same",
            "layer without. The floor is Powertools' Logger and one boto3 client, with bytecode. A function's own `app.py`, two",
            "kilobytes that `sam build` copies as they are, is compiled at each cold start, in all of them.",
            "",
            "Medians, and the smallest and largest ratio within a round.",
            "",
            f"The floor: {milliseconds('floor')}.",
            "",
            f"| function | with bytecode | to the floor (≤ {MOST_OF_FLOOR}) | plain | to plain (≤ {MOST_OF_PLAIN}) |",
            "| --- | --- | --- | --- | --- |",
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

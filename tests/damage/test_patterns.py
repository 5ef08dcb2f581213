"""Regular expressions see other people's texts, so the time that each takes grows only with the length of the text."""

import ast
import inspect
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import jobferry
from jobferry.feeds.settings import FeedSettings
from jobferry.jobs.fields import FIELDS
from jobferry.jobs.job_reader import JobReader
from jobferry.jobs.vocabulary import NOTHING_LISTED

PACKAGE = Path(inspect.getfile(jobferry)).parent
METHODS = ("fullmatch", "match", "search", "sub", "subn", "split", "findall", "finditer")
#: With this length, a quadratic pattern takes several times MOST, and a linear one a hundredth of it.
LENGTH = 1 << 13
#: Shorter texts come first: a pattern of a higher degree fails with them, and does not hang.
LENGTHS = (128, 1024, LENGTH)
#: Seconds of this thread's own time, so that a busy machine does not matter.
MOST = 0.1


@dataclass(frozen=True)
class Pattern:
    """A regular expression in the source.

    Attributes:
        place: the file and the line.
        compiled: the expression.
        methods: how the file uses it.
    """

    place: str
    compiled: re.Pattern[Any]
    methods: frozenset[str]


def patterns(path: Path) -> Iterator[Pattern]:
    """Yield every pattern of a file: the compiled ones and those that are given to re's functions."""
    tree = ast.parse(path.read_text())
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)]
    compiled: dict[str, tuple[re.Pattern[Any], int]] = {}
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "re.compile":
            assert isinstance(target, ast.Name), f"{path.name}:{node.lineno}: give the pattern a name"
            compiled[target.id] = _evaluated(value), value.lineno
    for name, (pattern, line) in compiled.items():
        users = [path] if name.startswith("_") else PACKAGE.rglob("*.py")
        used = {method for user in users for method in re.findall(rf"\b{name}\.(\w+)\b", user.read_text())}
        yield Pattern(f"{path.relative_to(PACKAGE)}:{line}", pattern, frozenset(used & set(METHODS)))
    for call in calls:
        name = ast.unparse(call.func)
        if name.startswith("re.") and name.removeprefix("re.") in METHODS:
            compiled_here = _evaluated(ast.Call(call.func, call.args[:1], []))
            place = f"{path.relative_to(PACKAGE)}:{call.lineno}"
            yield Pattern(place, compiled_here, frozenset({name.removeprefix("re.")}))


def _evaluated(call: ast.Call) -> re.Pattern[Any]:
    flags = ast.unparse(call.args[1]) if len(call.args) > 1 else "0"
    pattern: re.Pattern[Any] = re.compile(ast.literal_eval(call.args[0]), eval(flags, {"re": re}))
    return pattern


PATTERNS = [each for path in sorted(PACKAGE.rglob("*.py")) for each in patterns(path)]


def hostile(pattern: str) -> Iterator[tuple[str, str, str]]:
    """Yield beginnings, what is repeated after them, and ends that no pattern expects.

    The pattern's own characters and words lead into each of its parts.
    """
    words = sorted({*re.findall(r"[A-Za-z_]{2,}", re.sub(r"\\.|\(\?P<\w+>", " ", pattern)), "USD", "Bearer", "Basic"})
    signs = sorted({each for each in re.sub(r"[\[\]()?*+^\\\s]", "", pattern) if not each.isalnum()})
    beginnings = ["", "$", *words, *(f"{word} " for word in words)]
    beginnings += [*signs, '"', "<?xml ", "://", "r=", ";", "a", "1", "\\u00"]
    repeated = [
        *{*signs, " ", "\t", "\n", "0", "1", "a", "A", "-", ",", ".", "/", '"', "\\", "é", "1,", ",123", " a", '"a'}
    ]
    for beginning in dict.fromkeys(beginnings):
        for piece in repeated:
            yield beginning, piece, "\x00"
    for word in words:
        yield "", f"{word} ", "\x00"
        yield f"{word}=", f"{word}=", "\x00"


def seconds(method: Any, text: Any) -> float:
    begun = time.thread_time()
    result = method(text)
    if inspect.isgenerator(result) or hasattr(result, "__next__"):
        for _ in result:
            pass
    return time.thread_time() - begun


def test_the_patterns_are_found() -> None:
    assert len(PATTERNS) > 35
    files = {each.place.partition(":")[0] for each in PATTERNS}
    assert {"jobs/corrections/amounts.py", "text.py", "feeds/formats/json_text.py", "cli/schedules.py"} <= files
    assert all(each.methods for each in PATTERNS), [each.place for each in PATTERNS if not each.methods]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda each: each.place)
def test_a_pattern_takes_time_that_grows_with_the_length_only(pattern: Pattern) -> None:
    source = pattern.compiled.pattern
    is_bytes = isinstance(source, bytes)
    for beginning, piece, end in hostile(source.decode() if is_bytes else source):
        for length in LENGTHS:
            text = beginning + piece * (length // len(piece)) + end
            for name in pattern.methods:
                method = getattr(pattern.compiled, name)
                if name in ("sub", "subn"):
                    method = lambda text, sub=method, empty=source[:0]: sub(empty, text)  # noqa: E731
                took = seconds(method, text.encode() if is_bytes else text)
                assert took < MOST, f"{name} takes {took:.2f} s for {beginning!r} + {piece!r} * {length}"


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_hostile_cell_costs_a_row_and_not_the_run(name: str) -> None:
    reader = JobReader(FeedSettings(), NOTHING_LISTED)
    for beginning in ("$", "", "1", "12345", "-", "a", "<", "2024-03-02T"):
        for piece in (" ", "0", "1", ",000", "-", "\u200b", "\n", ";", "a "):
            text = f"{beginning}{piece * (LENGTH // len(piece))}x"
            row = {"referenceNumber": "r"} | {name: text}
            assert seconds(reader.read, row) < MOST, (beginning, piece)

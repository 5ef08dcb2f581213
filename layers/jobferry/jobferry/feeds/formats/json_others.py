"""What a JSON document holds beside its jobs: an API's errors, its totals and further pages, and other lists of jobs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from pydantic_core import from_json

from jobferry.feeds.formats.json_text import shown
from jobferry.feeds.rows import ERROR_NAMES, JobShape, plain_name, says_something
from jobferry.text import counted

#: Places that a message is given about.
_MAX_PLACES: Final = 10
_FAILED: Final = frozenset({"error", "failed", "failure", "partial", "timeout"})
#: Names by which an API says that its answer does not hold everything, as `plain_name` returns them.
_MORE: Final = frozenset({
    "hasmore", "hasnext", "hasnextpage", "morepages", "nextpage", "nextpagetoken", "nextpageurl", "nexttoken", "nextcursor",
    "nextlink", "nexturl", "truncated", "istruncated", "incomplete", "isincomplete", "partial", "ispartial",
})  # fmt: skip


#: Names by which an API says how many jobs there are on all pages, as `plain_name` returns them.
_TOTALS: Final = frozenset({
    "total", "totalcount", "totalresults", "totalrecords", "totalitems", "totaljobs", "totalhits", "totalelements", "numfound",
    "recordcount", "jobcount",
})  # fmt: skip


class Others:
    """What a document holds beside its jobs."""

    def __init__(self) -> None:
        self._errors: list[str] = []
        #: For each path, how many jobs there are on all pages.
        self._totals: dict[str, int] = {}
        #: For each path, how many objects have which fields.
        self._objects: defaultdict[str, Counter[frozenset[str]]] = defaultdict(Counter)
        #: The paths of lists of objects.
        self.lists: dict[str, None] = {}

    def add(self, path: str, text: bytes) -> None:
        """Add the value under a path."""
        try:
            value = from_json(text, allow_inf_nan=True)
        except ValueError:  # not UTF-8, for instance
            return
        key, word = plain_name(path.rpartition(".")[2]), str(value).lower()
        failed = word in ("false", "0") if key in ("success", "ok") else key == "status" and word in _FAILED
        if failed or (key in ERROR_NAMES and says_something(value)):
            self._errors.append(f'has "{path:.80}" beside its jobs: {shown(text)}; was it exported completely?')
        for name, each in value.items() if isinstance(value, dict) else [(key, value)]:
            if plain_name(name) in _TOTALS and type(each) is int:
                self._totals[path if each is value else f"{path}.{name}"] = each
        self._walk(path, value)

    def _walk(self, path: str, value: Any) -> None:
        if isinstance(value, dict):
            self._objects[path][frozenset(value)] += 1
            for name, each in value.items():
                self._walk(f"{path}.{name}", each)
        elif isinstance(value, list):
            if value and isinstance(value[0], dict):
                self.lists[path] = None
            for each in value:
                self._walk(path, each)
        elif _says_more(path, value):
            self._errors.append(
                f'has "{path:.80}", so it seems to hold only some of the jobs; was it exported completely?'
            )

    def messages(self, shape: JobShape, rows: int) -> Iterator[str]:
        """Yield what is wrong, to follow "the object"."""
        yield from self._errors[:_MAX_PLACES]
        for path, total in islice(self._totals.items(), _MAX_PLACES):
            if total > rows:
                yield f'has "{path:.80}" {total:,}, but {counted(rows, "job")}; was it exported completely?'
        counts = {
            path: sum(n for names, n in kinds.items() if shape.fits(names)) for path, kinds in self._objects.items()
        }
        for path, count in islice(((path, count) for path, count in counts.items() if count), _MAX_PLACES):
            yield (
                f'has {counted(count, "object")} like a job in "{path:.200}", which cannot be read: export all jobs in one '
                "list, and nothing else like them"
            )


def _says_more(path: str, value: Any) -> bool:
    """Decide whether a value says that further pages of jobs follow, or that jobs were left out."""
    names = [plain_name(each) for each in path.split(".")[-2:]]
    if "next" in names and isinstance(value, str):
        return value.startswith(("http", "/"))
    return names[-1] in _MORE and says_something(value)

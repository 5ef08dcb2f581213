"""The proposal: which column is which field, which values mean a term of the board, and what stays open.

Nothing is guessed that could be wrong. A name counts only if the values do not speak against it, values alone only if no
other column has such values, and everything else is left to a person.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from jobferry.feeds.rows import plain_name
from jobferry.jobs.fields import FIELDS, STRICT_FIELDS
from jobferry.jobs.synonyms import ONE_PAY, bare_name, meaning_of
from jobferry.jobs.warnings import quoted
from jobferry.suggestion.columns import Column, Sample
from jobferry.suggestion.names import may_be
from jobferry.suggestion.terms import Terms
from jobferry.suggestion.values import (
    TESTS,
    are_references,
    combination,
    fit_states,
    is_employment_type,
    is_long_text,
    is_pay_frequency,
    is_state,
    is_title,
)
from jobferry.text import counted

#: With fewer values, a column is not recognized by them.
_ENOUGH_VALUES: Final = 5
#: Values that one sentence names.
_MAX_NAMED: Final = 8
#: Fields for which a board has a list of terms.
_LISTED: Final = ("license", "specialty")
#: Names of professions: a license only if the values are ones that a board lists.
_PROFESSIONS: Final = frozenset(
    {"profession", "discipline", "credential", "credentials", "credentialtype", "providertype"}
)
#: Marks of dates and amounts, which plain numbers lack.
_NOT_IN_IDS: Final = re.compile(r"[.$/-]")


class Guess(NamedTuple):
    """One setting of the proposal.

    Attributes:
        setting: its name in feed.json.
        field: the board's field; None for a setting that is about no field.
        source: the column, or the feed's value.
        value: what the setting says.
        reason: why.
    """

    setting: str
    field: str | None
    source: str | None
    value: str | int
    reason: str


class Proposal(NamedTuple):
    """What is proposed for a feed.

    Attributes:
        columns: for each recognized field, its column.
        guesses: the same and the values, with the reasons.
        open: what a person has to decide, a sentence each without its full stop.
    """

    columns: dict[str, Column]
    guesses: list[Guess]
    open: list[str]


def propose(sample: Sample, terms: Terms) -> Proposal:
    """Propose the settings `fields` and `values` for a feed."""
    search = _Search(sample, terms)
    search.by_names()
    search.for_one_pay()
    search.by_values()
    columns = {field: search.chosen[field] for field in FIELDS if field in search.chosen}
    guesses = [Guess("fields", field, column.name, field, search.reasons[field]) for field, column in columns.items()]
    for field in _LISTED:
        if field in columns:
            guesses += search.terms_of(field)
    return Proposal(columns, guesses, [*search.open, *search.left()])


class _Search:
    """The search for the columns of the fields.

    Attributes:
        chosen: the column of each field.
        reasons: why it is.
        open: what a person has to decide.
    """

    def __init__(self, sample: Sample, terms: Terms) -> None:
        self._columns = sample.columns()
        self._lists = sample.lists
        self._terms = terms
        self._doubted: set[str] = set()  # fields about which something is said in `open`
        self.chosen: dict[str, Column] = {}
        self.reasons: dict[str, str] = {}
        self.open: list[str] = []

    # By names

    def by_names(self) -> None:
        """Recognize the columns whose names job feeds use."""
        candidates: defaultdict[str, list[tuple[int, Column]]] = defaultdict(list)
        for column in self._columns:
            if meaning := meaning_of(column.name):
                field, rank = meaning
                if doubt := self._doubt(field, column):
                    self._leave(field, doubt)
                else:
                    candidates[field].append((rank, column))
        for field, ranked in candidates.items():
            self._choose(field, self._unique(ranked) if field == "referenceNumber" else ranked)

    def _choose(self, field: str, ranked: Sequence[tuple[int, Column]]) -> None:
        """Take the column with the best name, if there is one. An empty column is taken only if all are empty."""
        ranked = [each for each in ranked if each[1].values] or ranked
        best = [column for rank, column in ranked if rank == min(rank for rank, _ in ranked)]
        best = [column for column in best if _is_own(field, column)] or best
        if not best:
            return
        column = best[0]
        if any(each.cells != column.cells for each in best):
            self._leave(field, f"{field}: {_named(best)} may each be it. Choose one")
            return
        if column.name == field:
            why = "the name is the board's own"
        elif _is_own(field, column):
            why = "the name is the board's, written differently"
        else:
            why = f"the name means {field}"
        self._take(field, column, f"{why}{self._shown(field, column)}")
        for own in self._columns:
            if _is_own(field, own) and own.name != column.name and "" in column.cells:
                self.open.append(f"{field}: where {quoted(column.name)} is empty, {quoted(own.name)} may be sent")

    def _unique(self, ranked: Sequence[tuple[int, Column]]) -> list[tuple[int, Column]]:
        """Return the column that is read as the field anyway. Without one, return those in which each row has its own value."""
        unique = [each for each in ranked if (fault := _fault_of_reference(each[1])) is None]
        own = [each for each in ranked if _is_own("referenceNumber", each[1]) and each[1].values]
        for _, column in own if unique else ranked:
            if fault := _fault_of_reference(column):
                self._leave(
                    "referenceNumber",
                    f"referenceNumber: {quoted(column.name)} {fault}, but each job needs a number of its own",
                )
        return own or unique

    def _doubt(self, field: str, column: Column) -> str | None:
        """Say why the values of a column are not those of the field that its name means; None if they may be."""
        is_own, values = _is_own(field, column), column.values
        label = f"{field}: {quoted(column.name)} {'is read as it' if is_own else 'has a name for it'}, but"
        if field in {*STRICT_FIELDS, "city"} and (found := combination(values)):
            return f"{label} it holds {found.what} together, such as {quoted(values[0])}. Export them in columns of their own"
        if is_own and field not in STRICT_FIELDS:
            return None  # Any text will do.
        if column.is_list and field != "employmentType":
            return f"{label} some jobs have several values there"
        test, what = self._test_of(field, column)
        wrong = [value for value in values if not test(value)]
        if len(wrong) * 2 > len(values):
            return f"{label} its values are not {what}, such as {quoted(wrong[0])}"
        return None

    def _test_of(self, field: str, column: Column) -> tuple[Callable[[str], bool], str]:
        if field != "license":
            return TESTS.get(field, (bool, "texts"))
        if bare_name(column.name) in _PROFESSIONS:
            return self._is_listed_license, "licenses that a board lists"
        return self._may_be_license, "licenses"

    def _is_listed_license(self, value: str) -> bool:
        return self._terms.find("license", value) is not None

    def _may_be_license(self, value: str) -> bool:
        """Tell a license from yes and no, and from the states that licenses are of."""
        is_other = is_state(value) or value.casefold() in ("yes", "no", "true", "false")
        return not is_other or self._is_listed_license(value)

    def _shown(self, field: str, column: Column) -> str:
        """Say what the values show beside the name."""
        count = len(column.values)
        if not count:
            return ", though no job has a value in it so far"
        if field == "referenceNumber":
            return ", and all values are different" if count > 1 and not _fault_of_reference(column) else ""
        if field not in TESTS:
            return ""
        test, what = TESTS[field]
        wrong = [value for value in column.values if not test(value)]
        if wrong and field in STRICT_FIELDS:
            self.open.append(
                f"{field}: {quoted(column.name)} has values that are not {what}: {len(wrong):,} of {count:,}, such as "
                f"{quoted(wrong[0])}"
            )
        if wrong:
            return f", and {count - len(wrong):,} of {count:,} values are {what}"
        return f", and all {count:,} values are {what}" if count > 1 else ""

    def for_one_pay(self) -> None:
        """Recognize a column of one pay, if the feed has no lowest and highest one."""
        if self._is_settled("payAmountMin") or self._is_settled("payAmountMax"):
            return
        doubts: list[str] = []
        fitting: list[Column] = []
        for column in self._free():
            if bare_name(column.name) in ONE_PAY and any(value.strip("0.,$ ") for value in column.values):
                if doubt := self._doubt("payAmountMin", column):
                    if not combination(column.values):  # `left` says what such a column holds
                        doubts.append(doubt)
                else:
                    fitting.append(column)
        if len(fitting) == 1:
            shown = self._shown("payAmountMin", fitting[0])
            self._take(
                "payAmountMin", fitting[0], f"the name means a single amount, which goes into payAmountMin{shown}"
            )
        elif fitting:
            self._leave("payAmountMin", f"payAmountMin: {_named(fitting)} may each be it. Choose one")
        else:
            self.open += doubts

    # By values

    def by_values(self) -> None:
        """Recognize columns by their values alone, where just one column has such values."""
        self._by_values("state", "all {:,} values are states", _several(is_state, but_not=self._is_listed_license))
        for field in _LISTED:
            is_listed = partial(self._terms.find, field)
            self._by_values(field, "all {:,} values are on a board's list", _several(is_listed, but_not=is_state))
        self._by_values("postalCode", "the {:,} values are ZIPs in the jobs' states", self._are_zips)
        self._by_values("employmentType", "all {:,} values are types of employment", _all(is_employment_type))
        self._by_values("payFrequency", "all {:,} values are periods of pay", _all(is_pay_frequency))
        self._by_values("description", "the {:,} values are long texts, as in no other column", _most(is_long_text))
        self._by_values("title", "the {:,} values read like titles, as in no other column", _most(is_title))
        self._by_values(
            "referenceNumber",
            "the {:,} values are all different and look like ids, as in no other column",
            lambda column: _fault_of_reference(column) is None and are_references(column.values),
        )

    def _by_values(self, field: str, reason: str, test: Callable[[Column], bool]) -> None:
        if self._is_settled(field):
            return
        fitting = [column for column in self._free() if _may_show(field, column) and test(column)]
        if len(fitting) == 1:
            self._take(field, fitting[0], reason.format(len(fitting[0].values)))
        elif fitting:
            self._leave(field, f"{field}: the values of {_named(fitting)} look like it. Choose one, if it is one")

    def _are_zips(self, column: Column) -> bool:
        states = self.chosen.get("state")
        return states is not None and fit_states(column.cells, states.cells)

    def terms_of(self, field: str) -> list[Guess]:
        """Return the listed terms for values of the field that are not listed."""
        listed = self._terms.listed(field)
        unlisted = dict.fromkeys(value for value in self.chosen[field].values if listed and value not in listed)
        meant = {value: term for value in unlisted if (term := self._terms.find(field, value))}
        if rest := [value for value in unlisted if value not in meant]:
            verb = "is" if len(rest) == 1 else "are"
            self.open.append(f"{field}: {_few(map(quoted, rest))} {verb} on no list that jobferry knows")
        return [
            Guess("values", field, value, term, f"the board's list has {quoted(term)}") for value, term in meant.items()
        ]

    # What is left

    def left(self) -> Iterator[str]:
        """Say what is open about columns that were not recognized, and fields without a column."""
        free = [column for column in self._free() if column.values]
        for column in free:
            found = combination(column.values)
            if found and not found.fields <= self.chosen.keys() | self._doubted | {"durationLength", "durationUnit"}:
                yield (
                    f"{quoted(column.name)} holds {found.what} together, such as {quoted(column.values[0])}. "
                    "Export them in columns of their own"
                )
        for field in ("startDate", "payAmountMin"):
            test, what = TESTS[field]
            similar = [column for column in free if _may_show(field, column) and all(map(test, column.values))]
            similar = [column for column in similar if any(map(_NOT_IN_IDS.search, column.values))]
            if similar and not self._is_settled(field):
                verb = "has" if len(similar) == 1 else "have"
                yield f"{field}: {_named(similar)} {verb} {what}, but the name does not say which"
        length = self.chosen.get("durationLength")
        if length and "week" in bare_name(length.name) and not self._is_settled("durationUnit"):
            yield f'durationUnit: {quoted(length.name)} seems to count weeks. If so, add "defaults": {{"durationUnit": "week"}}'
        if "referenceNumber" not in self.chosen:
            yield (
                "referenceNumber: no column was recognized as it, and without it no job can be sent. Add the column that has "
                'the number of each job: "fields": {"YOUR COLUMN": "referenceNumber"}'
            )
        missing = [field for field in FIELDS if not self._is_settled(field) and field != "referenceNumber"]
        if missing:
            yield f'No column was recognized as {", ".join(missing)}. If the export has one of them, add its column to "fields"'
        if self._lists:
            yield f"No setting reaches into lists of objects: {_few(map(quoted, self._lists))}. Export their values outside of them"
        if free:
            yield f"Not used, and sent as they are: {', '.join(quoted(column.name) for column in free)}"

    def _take(self, field: str, column: Column, reason: str) -> None:
        self.chosen[field], self.reasons[field] = column, reason

    def _leave(self, field: str, sentence: str) -> None:
        self._doubted.add(field)
        self.open.append(sentence)

    def _is_settled(self, field: str) -> bool:
        return field in self.chosen or field in self._doubted

    def _free(self) -> list[Column]:
        taken = {column.name for column in self.chosen.values()}
        return [column for column in self._columns if column.name not in taken]


def _is_own(field: str, column: Column) -> bool:
    """Decide whether a column's name is the field's, however it is written. It is read as the field anyway."""
    return plain_name(column.name) == field.lower()


def _may_show(field: str, column: Column) -> bool:
    """Decide whether the values alone may show that a column is the field."""
    return not column.is_list and len(column.values) >= _ENOUGH_VALUES and may_be(column.name, field)


def _fault_of_reference(column: Column) -> str | None:
    """Return why the values are no reference numbers; None if every row has one of its own."""
    if empty := column.cells.count(""):
        return f"is empty in {counted(empty, 'row')}"
    [(value, count)] = Counter(column.cells).most_common(1)
    return f"has {quoted(value)} in {counted(count, 'row')}" if count > 1 else None


def _all(test: Callable[[str], bool]) -> Callable[[Column], bool]:
    return lambda column: all(map(test, column.values))


def _several(test: Callable[[str], object], *, but_not: Callable[[str], object]) -> Callable[[Column], bool]:
    """All values pass the test, two are different, and not all pass the other test: MD and PA are states and licenses."""
    return lambda column: (
        all(map(test, column.values)) and len(set(column.values)) > 1 and not all(map(but_not, column.values))
    )


def _most(test: Callable[[str], bool]) -> Callable[[Column], bool]:
    """Most rows pass the test, and most values are different."""
    return lambda column: (
        sum(map(test, column.values)) * 5 >= len(column.cells) * 4 and len(set(column.values)) * 2 >= len(column.values)
    )


def _named(columns: Iterable[Column]) -> str:
    return _few(quoted(column.name) for column in columns)


def _few(texts: Iterable[str]) -> str:
    listed = list(texts)
    more = f" and {len(listed) - _MAX_NAMED:,} more" if len(listed) > _MAX_NAMED else ""
    return ", ".join(listed[:_MAX_NAMED]) + more

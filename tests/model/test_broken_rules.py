"""The histories find a jobferry that breaks a rule: each rule is broken in turn, and one of the models must notice.

Each row of the table replaces one function. The histories are those of the models' own tests, with a fixed seed.
Rule 1 is not in the table: a feed without a valid job has lost all its fields, so rule 9 stops it, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from jobferry.deletions.live_set import Live
from jobferry.feeds.settings import FeedSettings, parse_settings
from jobferry.payload.reference_set import ReferenceSet
from jobferry.records.imports import Objection
from tests.model import test_agency, test_histories
from tests.model.agency import FEED, Change, LoseSettings, Upload
from tests.model.history import BrokenError, Export, Poll, Rekey, Run, Set, Step, Subscribe, Wait, Work
from tests.model.rules import Wishes

#: Within so many histories a broken rule must be noticed.
EXAMPLES: Final = 100
SEED: Final = 15

type Replacement = Callable[[Any], Any]


@dataclass(frozen=True)
class Broken:
    """A rule that is broken.

    Attributes:
        rule: what does not hold any more.
        where: the module or class, and the function in it that is replaced.
        by: makes the replacement from the function.
        faults: those of the exporters whose histories notice it; if there are none, the histories of the rules do.
        first: what these histories begin with.
        beginning: what the histories of the rules begin with before that.
    """

    rule: str
    where: str
    by: Replacement
    faults: tuple[str | None, ...] = ()
    first: tuple[Step, ...] = ()
    beginning: str = "under-way"


def without(*objections: Objection) -> Replacement:
    """Return what leaves these objections out of a decision's objections."""
    return lambda decide: lambda *given, **named: [each for each in decide(*given, **named) if each not in objections]


def returns(value: Any) -> Replacement:
    return lambda _: lambda *_given, **_named: value


def settings_as_they_are(feed: str, world: Any, **_: Any) -> FeedSettings:
    """Read the settings, and believe that there are none if there are none."""
    key, text = world.bucket.settings(feed)
    return parse_settings(text, key)


#: A full sync of another account, which was announced just now.
ANOTHER_ACCOUNT: Final = (Set("one", Wishes(delete_jobs=True, secret="Other")), Run("one"), Work(), Poll())
NIGHT: Final = (Run(FEED, "schedule"), Work(), Wait(23 * 60))
RULES: Final = "jobferry.deletions.rules"
LOADING: Final = "jobferry.runs.loading"
PLANNING: Final = "jobferry.runs.planning"

TABLE: Final = (
    Broken(
        "2: rows protect",
        f"{RULES}:_objections",
        without(Objection.UNPROTECTED_ROWS),
        ("error_line", "named_by_kind"),
        first=(Upload(fault="error_line", number=8), *NIGHT),
    ),
    Broken(
        "2: unread jobs are noticed",
        "jobferry.feeds.formats.xml:_Unread.messages",
        returns(()),
        ("named_by_kind",),
        first=(Upload(fault="named_by_kind", number=3), *NIGHT),
    ),
    Broken("3: announced first", f"{RULES}:_objections", without(Objection.FIRST)),
    Broken(
        "3: time to object",
        f"{RULES}:_may_still_object",
        returns(False),
        first=(*ANOTHER_ACCOUNT, Run("one", "schedule")),
    ),
    Broken(
        "3: somebody is subscribed",
        "tests.fakes:MemoryTopic.has_subscribers",
        returns(True),
        first=(Subscribe(0), *ANOTHER_ACCOUNT, Run("one")),
    ),
    Broken(
        "4: too many at once",
        f"{RULES}:exceeded_limits",
        without(Objection.TOO_MANY),
        (None,),
        first=(Upload(closed=13), *NIGHT),
    ),
    Broken(
        "4: too many in a week",
        f"{RULES}:exceeded_limits",
        without(Objection.TOO_MANY_THIS_WEEK),
        (None,),
        first=(Upload(closed=9), *NIGHT, Upload(closed=9), *NIGHT),
    ),
    Broken(
        "4: only the list that a person saw",
        f"{RULES}:is_code",
        returns(True),
        first=(Export("one", 15, 30, 2), Run("one"), Work(), Export("one", 20, 30, 2), Run("one", "right")),
    ),
    Broken(
        "5: shared account",
        f"{PLANNING}:_feeds_sharing",
        returns(()),
        first=(Set("two", Wishes()), Export("two", 0, 5), Run("one")),
    ),
    Broken(
        "8: fewer objects",
        f"{RULES}:_objections",
        without(Objection.FEWER_OBJECTS),
        ("file_lost",),
        first=(Upload(fault="file_lost"), *NIGHT),
    ),
    Broken(
        "8: fewer rows",
        f"{RULES}:reduced_objects",
        returns([]),
        ("rows_lost", "emptied"),
        first=(Upload(fault="rows_lost", number=4), *NIGHT),
    ),
    Broken(
        "8: half exported",
        f"{PLANNING}:whole_at",
        returns(None),
        (None,),
        first=(Upload(closed=4, pieces=1), Run(FEED, "upload"), Work()),
    ),
    Broken(
        "9: lost fields",
        f"{PLANNING}:require_fields",
        returns(None),
        ("renamed", "emptied_column"),
        first=(Upload(fault="renamed", number=1), *NIGHT),
    ),
    Broken(
        "10: lost settings",
        f"{LOADING}:read_settings",
        lambda _: settings_as_they_are,
        (None,),
        first=(LoseSettings(), *NIGHT),
    ),
    Broken(
        "asked again before sending",
        "jobferry.runs.submission:plan_again",
        lambda _: lambda record, *_given: record.deletions,
        (None,),
        first=(Run(FEED, "schedule", board=("unknown",)), Change(delete_jobs=False), Wait(16), Poll()),
    ),
    Broken(
        "what is withheld stays in the live set",
        f"{PLANNING}:read_live_set",
        lambda read: lambda stream, **_: read(stream, whole=False),
        (None,),
        first=(Upload(closed=13), *NIGHT, *NIGHT),
    ),
    Broken(
        "lists: an invalid job keeps its posting",
        f"{PLANNING}:carry_over",
        lambda carry: (
            lambda before, payload, directory, **named: carry(
                before, replace(payload, held=ReferenceSet()), directory, **named
            )
        ),
        first=(Export("one", 0, 30, 2, invalid=1), Run("one")),
        beginning="listed",
    ),
    Broken(
        "lists: what was posted with a former key stays",
        f"{PLANNING}:carry_over",
        lambda carry: lambda *given, **named: carry(*given, **named | {"listed": False}),
        first=(Rekey("BoardApiKey", "key-2"), Run("one"), Work(), Wait(13 * 60), Export("one", 2, 30, 2), Run("one")),
        beginning="listed",
    ),
    Broken(
        "lists: only what the feed has posted",
        f"{PLANNING}:read_live_set",
        lambda read: lambda stream, **named: [*read(stream, **named), Live("h00", None)],
        first=(Run("one"),),
        beginning="listed",
    ),
    Broken(
        "lists: one that was left is continued or ended",
        "jobferry.results.polling:_check_list",
        returns(None),
        first=(Export("one", 2, 30, 2), Wait(15), Run("one", "schedule", cuts=(90,))),
        beginning="listed",
    ),
    Broken(
        "a run that was cut off is continued or ended",
        "jobferry.results.polling:_check_unsent",
        returns(None),
        (None,),
        first=(Run(FEED, "schedule", cuts=(20,)),),
    ),
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("broken", TABLE, ids=lambda broken: broken.rule.replace(" ", "-"))
def test_a_broken_rule_is_noticed(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _, path = broken.where.partition(":")
    *classes, name = path.split(".")
    owner: Any = import_module(module)
    for each in classes:
        owner = getattr(owner, each)
    monkeypatch.setattr(owner, name, broken.by(getattr(owner, name)))

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        if broken.faults:
            history = data.draw(test_agency.histories_with(*broken.faults))
            test_agency.play(data.draw(test_agency.exporters), [*broken.first, *history])
        else:
            _, mode, _ = test_histories.BEGINNINGS[broken.beginning]
            history = data.draw(test_histories.histories_of(mode))
            test_histories.play(broken.beginning, [*broken.first, *history])

    with pytest.raises(BrokenError):
        holds()

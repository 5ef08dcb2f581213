"""The scenes in which a function's call fails, and the ways to continue afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.faults.machine import KEY, KILLED_AFTER, Interference, Machine
from tests.faults.saved import Saved

ID: Final = "default-20261126T020000Z"
_HEADER: Final = "referenceNumber,title,state,postalCode\n"
_FIVE_MINUTES: Final = 300

type Step = Callable[[Machine], object]


@dataclass(frozen=True)
class Scene:
    """A function that is about to run, in which one call will fail.

    Attributes:
        function: the function's name.
        prepare: brings the machine to the scene.
        act: runs the function once, whether it succeeds or not.
        ways: the ways to continue, named after their steps. Afterwards the poller runs while there is anything to do.
        ends: the state in which the import ends, by way, unless it is complete.
        imports: the imports that exist at the end.
        listed: the feed deletes by list.
    """

    function: str
    prepare: Step
    act: Step
    ways: Mapping[str, tuple[Step, ...]]
    ends: Mapping[str, str]
    imports: tuple[str, ...] = (ID,)
    listed: bool = False


def play_two_nights(machine: Machine) -> Saved:
    """Play the two nights before the fault. They leave a live set, failed jobs, and a posting that will be deleted."""
    secrets = machine.cloud.client("secretsmanager")
    secrets.put_secret_value(SecretId="jobferry/accounts/BoardApiKey", SecretString=KEY)
    # Otherwise each machine has another one, and its states equal those of no other machine.
    secrets.put_secret_value(SecretId=machine.stack.resource("CallbackSigningKey").ref, SecretString="s1gn1ng-k3y")
    secrets.create_secret(Name="jobferry/accounts/Other", SecretString="another-key")
    machine.put("feeds/default/feed.json", json.dumps({"deleteJobs": True, "maxInvalidPercent": 50}).encode())
    machine.put("feeds/other/feed.json", json.dumps({"apiKeySecret": "Other"}).encode())
    start = machine.now
    for night in (1, 2):
        _feed(
            machine,
            "A-1,Hospitalist,PA,17603",
            "A-2,Nocturnist,PA,17603",
            "A-3,To go,PA,17603",
            "A-4,Refused,PA,17603",
            "A-5,Wrong ZIP,PA,0",
        )
        assert machine.tries("SubmitImport", machine.submit_event(), f"night-{night}")
        assert machine.call_back()
        machine.deliver_stream()
        machine.forget()
        machine.now = start
        machine.pass_time(86400 * night)
    _feed(
        machine,
        "A-1,Hospitalist,PA,17603",
        "A-2,Nocturnist in Lancaster,PA,17603",
        "A-4,Refused,PA,17603",
        "A-5,Wrong ZIP,PA,0",
        "A-6,New,PA,17603",
        "A-7,Refused,PA,17603",
    )
    return machine.save()


def _feed(machine: Machine, *rows: str) -> None:
    machine.put("feeds/default/jobs.csv", (_HEADER + "\n".join(rows) + "\n").encode())


#: The posting that the feed no longer has on the third night.
GONE: Final = "A-3"


def _delete_by_list(machine: Machine) -> None:
    """Have the feed delete by list from now on. One run announces that, and a day passes."""
    machine.put("feeds/default/feed.json", json.dumps({"deleteJobs": "listed", "maxInvalidPercent": 50}).encode())
    assert machine.tries("SubmitImport", {"feed": "default", "scheduledAt": "2026-11-26T01:00:00Z"}, "announcing")
    assert machine.call_back()
    machine.deliver_stream()
    machine.forget()
    machine.pass_time(86400)


# Steps

_EVENT: Final = {"feed": "default", "scheduledAt": "2026-11-26T02:00:00Z"}


def submit(machine: Machine) -> None:
    machine.once("SubmitImport", _EVENT, "the-request")


def retry(machine: Machine) -> None:
    """Retry as Lambda does, with the same request id. After a success there is nothing left to do."""
    machine.tries("SubmitImport", _EVENT, "the-request", waits=(60, 120))


def callback(machine: Machine) -> None:
    machine.call_back()


def one_callback(machine: Machine) -> None:
    machine.call_back(tries=1)


def poll(machine: Machine) -> None:
    machine.pass_time(_FIVE_MINUTES)
    machine.poll()


def _board_is_hasty(machine: Machine) -> None:
    machine.board.after_create = lambda _: (machine.board.process(), machine.meanwhile(machine.call_back))


def board_comes_up(machine: Machine) -> None:
    machine.board.is_down = False


def until_idle(machine: Machine) -> None:
    """Run the poller until no import is open, then publish the notices."""
    for _ in range(12):
        if not any(item.get("open") == {"S": "open"} for item in machine.items()):
            break
        poll(machine)
    machine.deliver_stream()


def _killed_after(name: str, step: Step) -> Step:
    """Return the step, with its process killed right after the first call of that name."""

    def act(machine: Machine) -> None:
        saved = machine.save()
        machine.interference = Interference()
        step(machine)
        number = [each.name for each in machine.interference.calls].index(name)
        machine.restore(saved)
        machine.interference = Interference(number=number, kind=KILLED_AFTER)
        step(machine)
        assert machine.interference.struck

    return act


def _sent(machine: Machine) -> None:
    submit(machine)


_cut_off_while_sending: Final = _killed_after("board POST", submit)
_cut_off_after_the_claim: Final = _killed_after("TransactWriteItems import, feed", submit)


def _cut_off_and_left(machine: Machine) -> None:
    """Kill the process while it sends, and wait until its claim has ended without a retry."""
    _cut_off_while_sending(machine)
    machine.pass_time(1800)


def _list_left(machine: Machine) -> None:
    """Kill the process while it sends its list, and wait until its claim has ended without a retry."""
    _delete_by_list(machine)
    _killed_after("board DELETE", submit)(machine)
    machine.pass_time(1800)


def _claimed_and_left(machine: Machine) -> None:
    _cut_off_after_the_claim(machine)
    machine.pass_time(1800)


def _resume(machine: Machine) -> None:
    machine.once("SubmitImport", {"feed": "default", "resume": ID}, "another-request")


def _resume_again(machine: Machine) -> None:
    machine.tries("SubmitImport", {"feed": "default", "resume": ID}, "another-request", waits=(60, 120))


def _board_is_down(machine: Machine) -> None:
    submit(machine)
    machine.board.is_down = True


def _believed(machine: Machine) -> None:
    """Take a callback while the board is down."""
    _board_is_down(machine)
    one_callback(machine)
    board_comes_up(machine)


def _second_trigger(machine: Machine) -> None:
    machine.once("SubmitImport", {"feed": "default", "scheduledAt": "2026-11-26T03:00:00Z"}, "second-request")


def _second_trigger_again(machine: Machine) -> None:
    machine.tries(
        "SubmitImport", {"feed": "default", "scheduledAt": "2026-11-26T03:00:00Z"}, "second-request", waits=(60, 120)
    )


SECOND: Final = "default-20261126T030000Z"


def _waiting(machine: Machine) -> None:
    """Skip a run of the feed, and end its open import."""
    submit(machine)
    _second_trigger(machine)
    callback(machine)


def _silent(machine: Machine) -> None:
    """Let the board accept the import and not process it within twelve hours."""
    machine.board.after_create = lambda _: None
    submit(machine)
    machine.pass_time(13 * 3600)


def _board_wakes_up(machine: Machine) -> None:
    until_idle(machine)
    machine.board.process()


def _complete(machine: Machine) -> None:
    submit(machine)
    machine.call_back()


def _tell(machine: Machine) -> None:
    machine.deliver_stream()


def _days_later(machine: Machine) -> None:
    _complete(machine)
    machine.deliver_stream()
    machine.pass_time(3 * 86400)


def look_for_overdue_feeds(machine: Machine) -> None:
    """Run the poller at the minute of the hour when it looks for overdue feeds."""
    machine.once("PollImports", {"time": "2026-11-29T05:00:00Z"}, "look")


SCENES: Final[Mapping[str, Scene]] = {
    "SubmitImport": Scene(
        "SubmitImport",
        lambda _: None,
        submit,
        {
            "retry, callback": (retry, callback),
            "retry, poll": (retry, poll),
            "retry, callback, poll": (retry, callback, poll),
            "retry, poll, callback": (retry, poll, callback),
            "callback, retry": (callback, retry),
            "no retry": (),
        },
        {"no retry": "complete or abandoned"},
    ),
    "SubmitImport, the result before the 202": Scene(
        "SubmitImport",
        _board_is_hasty,
        submit,
        {"retry": (retry,), "retry, callback": (retry, callback), "poll, retry": (poll, retry)},
        {},
    ),
    "SubmitImport, resuming": Scene(
        "SubmitImport",
        _cut_off_and_left,
        _resume,
        {
            "retry, callback": (_resume_again, callback),
            "retry, poll": (_resume_again, poll),
            "callback, retry": (callback, _resume_again),
            "no retry": (),
        },
        {},
    ),
    "SubmitImport, skipping": Scene(
        "SubmitImport",
        submit,
        _second_trigger,
        {
            "retry, callback": (_second_trigger_again, callback, poll, callback),
            "callback, retry": (callback, _second_trigger_again, callback),
            "retry, poll": (_second_trigger_again, poll),
        },
        {},
        (ID, SECOND),
    ),
    "SubmitImport, deleting by list": Scene(
        "SubmitImport",
        _delete_by_list,
        submit,
        {
            "retry, callback": (retry, callback),
            "retry, poll": (retry, poll),
            "callback, retry": (callback, retry),
            "no retry": (),
        },
        {"no retry": "complete or abandoned"},
        listed=True,
    ),
    "PollImports, continuing a list": Scene(
        "PollImports",
        _list_left,
        poll,
        {"poll": (poll,), "callback": (callback,), "retry": (retry,)},
        {},
        listed=True,
    ),
    "ReceiveCallback": Scene(
        "ReceiveCallback",
        submit,
        one_callback,
        {
            "callback": (callback,),
            "poll": (poll,),
            "callback, poll": (callback, poll),
            "poll, callback": (poll, callback),
        },
        {},
    ),
    "ReceiveCallback, before the 202 is recorded": Scene(
        "ReceiveCallback",
        _cut_off_while_sending,
        one_callback,
        {
            "callback, retry": (callback, retry),
            "retry, callback": (retry, callback),
            "retry, poll": (retry, poll),
            "no retry": (),
        },
        {},
    ),
    "ReceiveCallback, board not to be asked": Scene(
        "ReceiveCallback",
        _board_is_down,
        one_callback,
        {
            "callback": (callback, board_comes_up),
            "board up, callback": (board_comes_up, callback),
            "board up, poll": (board_comes_up, poll),
            "poll, board up, poll": (poll, board_comes_up, poll),
        },
        {},
    ),
    "PollImports": Scene(
        "PollImports",
        submit,
        poll,
        {
            "poll": (poll,),
            "callback": (callback,),
            "poll, callback": (poll, callback),
            "callback, poll": (callback, poll),
        },
        {},
    ),
    "PollImports, confirming a callback": Scene(
        "PollImports",
        _believed,
        poll,
        {"poll": (poll,), "callback": (callback,), "poll, callback": (poll, callback)},
        {},
    ),
    "PollImports, resuming": Scene(
        "PollImports",
        _cut_off_and_left,
        poll,
        {"poll": (poll,), "callback": (callback,), "retry": (retry,)},
        {},
    ),
    "PollImports, freeing": Scene(
        "PollImports",
        _claimed_and_left,
        poll,
        {"poll": (poll,), "retry": (retry,)},
        {"poll": "abandoned", "retry": "complete or abandoned"},
    ),
    "PollImports, giving up": Scene(
        "PollImports",
        _silent,
        poll,
        {"poll": (poll,), "the board wakes up, callback": (_board_wakes_up, callback)},
        {"poll": "expired"},
    ),
    "PollImports, starting a feed": Scene(
        "PollImports",
        _waiting,
        poll,
        {"poll": (poll,), "callback": (poll, callback)},
        {},
        (ID, SECOND + "-again"),
    ),
    "PollImports, looking for overdue feeds": Scene(
        "PollImports",
        _days_later,
        look_for_overdue_feeds,
        {"": (), "look": (look_for_overdue_feeds,)},
        {},
    ),
    "PublishNotice": Scene(
        "PublishNotice",
        _complete,
        _tell,
        {"": (), "callback": (callback,), "poll": (poll,)},
        {},
    ),
}

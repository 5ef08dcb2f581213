"""The application `jobferry`: the options that all commands have, and how a function becomes a command."""

import functools
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import click
from click.core import ParameterSource

from jobferry.cli.faults import FAULTS, words
from jobferry.cli.following import Progress
from jobferry.cli.outcomes import CANNOT
from jobferry.cli.screen import answer, complain
from jobferry.cli.stack import Stack, find

#: The options that find the stack: the environment's names for them, and what they are.
_PLACE: Final = {
    "stack": ("JOBFERRY_STACK", "The stack's name in CloudFormation. Without it, jobferry."),
    "profile": ("AWS_PROFILE", "The profile with your AWS credentials."),
    "region": ("AWS_REGION", "The AWS region of the stack."),
}


@dataclass(frozen=True)
class Call:
    """How the command line was called.

    Attributes:
        name: the stack's name.
        profile: the AWS profile.
        region: the AWS region.
        options: the ones of these three that were typed, as they would be typed again.
        as_json: a program reads the answer.
    """

    name: str
    profile: str | None
    region: str | None
    options: str
    as_json: bool

    def stack(self) -> Stack:
        """Find the stack. Raise CannotBeDoneError and AWS's own errors."""
        return replace(find(self.name, self.profile, self.region), options=self.options)

    def progress(self) -> Progress:
        """Write progress to standard error if standard output has a JSON document."""
        return Progress(sys.stderr if self.as_json else sys.stdout, terminal=sys.stderr.isatty())


def _with_place[F: Callable[..., Any]](function: F) -> F:
    """Add the options that find the stack. They may stand before the command's name and after it."""
    for name, (variable, help_) in reversed(_PLACE.items()):
        add = click.option(f"--{name}", metavar="NAME", envvar=variable, show_envvar=True, help=help_)
        function = add(function)
    return function


class _Commands(click.Group):
    """The commands in the order in which people need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # the name is click's
        return list(self.commands)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 all is well, 1 something needs a fix or did not work, 2 it cannot be done.",
)
@click.version_option(package_name="jobferry", message="jobferry %(version)s")
@_with_place
@click.pass_context
def app(context: click.Context, /, **_: str | None) -> None:
    """Check a feed, run it, and see what became of its jobs.

    \b
    Examples:
      jobferry validate jobs.csv
      jobferry status
      jobferry show default-20261124T070000Z
    """
    context.obj = _typed(context)


def _typed(context: click.Context) -> dict[str, str]:
    """Return the options that were typed. A command that is shown repeats them; the environment is there anyway."""
    return {
        name: context.params[name]
        for name in _PLACE
        if context.params[name] and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def command(function: Callable[..., int]) -> click.Command:
    """Make a command of a function that takes a Call and returns the exit status."""

    @click.pass_context
    def run(context: click.Context, /, *, as_json: bool, **arguments: Any) -> None:
        typed = context.obj | _typed(context)
        place = {name: arguments.pop(name) for name in _PLACE} | typed
        options = "".join(f" --{name} {shlex.quote(value)}" for name, value in typed.items())
        call = Call(place["stack"] or "jobferry", place["profile"], place["region"], options, as_json)
        try:
            status = function(call, **arguments)
        except BrokenPipeError:  # the reader has seen enough, as head(1) has
            raise
        except FAULTS as error:
            if as_json:
                answer({"error": words(error)})
            complain(words(error))
            status = CANNOT
        context.exit(status)

    as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document for programs.")
    made: click.Command = app.command(as_json(_with_place(functools.update_wrapper(run, function))))
    made.params.sort(key=lambda each: each.name in (*_PLACE, "as_json"))  # a command's own options come first
    return made


def local_command(function: Callable[..., int]) -> click.Command:
    """Make a command that needs no AWS: it takes the options that find the stack, but its help does not list them."""
    made = command(function)
    for each in made.params:
        if isinstance(each, click.Option) and each.name in _PLACE:
            each.hidden = True
    return made

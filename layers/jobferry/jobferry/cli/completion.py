"""Names that the shell completes: feeds and imports, as the stack has them at that moment."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice

import click
from click.shell_completion import CompletionItem

from jobferry.cli.faults import FAULTS
from jobferry.cli.stack import Stack, find

#: Imports of a feed that are proposed, the newest first.
_IMPORTS = 20


class _NameInStack(click.ParamType[str]):
    """A text. What the shell proposes for it comes from the stack."""

    def __init__(self, name: str, propose: Callable[[Stack], Iterable[str]]) -> None:
        self.name = name
        self._propose = propose

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002  # the names are click's
        incomplete: str,
    ) -> list[CompletionItem]:
        """Propose names; none if the stack cannot be read. Completion must not show errors."""
        above = ctx.parent.params if ctx.parent else {}
        stack, profile, region = (ctx.params.get(name) or above.get(name) for name in ("stack", "profile", "region"))
        with suppress(*FAULTS):
            found = find(stack or "jobferry", profile, region)
            return [CompletionItem(each) for each in self._propose(found) if each.startswith(incomplete)]
        return []


def _imports(stack: Stack) -> Iterable[str]:
    for feed in stack.bucket.feeds():
        yield from (each.import_id for each in islice(stack.table.history(feed), _IMPORTS))


A_FEED = _NameInStack("feed", lambda stack: stack.bucket.feeds())
AN_IMPORT = _NameInStack("import_id", _imports)

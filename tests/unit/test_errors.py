"""The tree at the top of errors.py is the tree of its classes."""

from __future__ import annotations

import re

from jobferry import errors
from jobferry.errors import JobferryError


def _classes(parent: type[JobferryError], depth: int = 0) -> list[tuple[int, str]]:
    """Return the classes of the tree, each below its parent, in the order of their definition."""
    own = [each for each in parent.__subclasses__() if each.__module__ == errors.__name__]
    return [(depth, parent.__name__)] + [line for each in own for line in _classes(each, depth + 1)]


def test_the_tree_shows_every_error_below_its_parent() -> None:
    lines = re.findall(r"^((?:[│ ]   )*(?:[├└]── )?)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    assert [(len(indent) // 4, name) for indent, name in lines] == _classes(JobferryError)


def test_every_error_of_the_package_is_in_the_tree() -> None:
    assert [each for each in JobferryError.__subclasses__() if each.__module__ != errors.__name__] == []

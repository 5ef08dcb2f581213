"""One name means one thing: no two classes, type aliases or public constants of the package share a name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parents[2] / "layers/jobferry/jobferry"


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in tree.body:
        match node:
            case ast.TypeAlias(name=ast.Name(id=name)) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name))


def test_no_public_name_is_defined_twice() -> None:
    defined = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in _names(ast.parse(path.read_text())):
            if not name.startswith("_"):
                defined[name].append(str(path.relative_to(PACKAGE)))
    doubles = {name: paths for name, paths in defined.items() if len(paths) > 1}
    assert doubles == {}

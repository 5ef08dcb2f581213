"""The layer as its makefile builds it: the pinned packages with bytecode, and all that the functions import."""

from __future__ import annotations

import re
from importlib.metadata import distributions
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

import pytest

from benchmarks.cold_start import build, environments, seconds
from local import ROOT

#: The flags of bytecode that Python never checks against its source (PEP 552).
UNCHECKED_HASH: Final = 1


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("layer"))


def test_the_layer_has_the_pinned_packages_and_no_other(layer: Path) -> None:
    pinned = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "layers/jobferry/requirements.txt").read_text(), re.MULTILINE)
    installed = {(each.name.lower().replace("_", "-"), each.version) for each in distributions(path=[str(layer)])}
    assert installed == set(pinned)


def test_every_module_of_the_layer_has_bytecode_that_is_used_unchecked(layer: Path) -> None:
    modules = list(layer.rglob("*.py"))
    assert layer / "jobferry/errors.py" in modules
    for module in modules:
        bytecode = Path(cache_from_source(str(module))).read_bytes()
        assert int.from_bytes(bytecode[4:8], "little") == UNCHECKED_HASH, module


@pytest.mark.parametrize(("folder", "variables"), environments().items(), ids=lambda value: getattr(value, "name", ""))
def test_a_function_starts_with_nothing_but_the_layer(layer: Path, folder: Path, variables: dict[str, str]) -> None:
    assert seconds("import app; app.handler", layer, folder, variables) > 0

"""For which processor is built, and that nothing built for the other one is deployed."""

from pathlib import Path

import pytest

from scripts import architecture
from tests.stack import TEMPLATE, make_stack

X86, ARM = 0x3E, 0xB7


def write_module(folder: Path, machine: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "data.so").write_bytes(b"no module")
    (folder / "module.so").write_bytes(b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little") + bytes(40))
    return folder


@pytest.mark.parametrize(("machine", "name"), [(X86, "x86_64"), (ARM, "arm64")])
def test_a_built_layer_shows_its_processor(tmp_path: Path, machine: int, name: str) -> None:
    assert architecture.of_layer(write_module(tmp_path / "python/lxml", machine).parent.parent) == name


def test_a_missing_layer_has_none(tmp_path: Path) -> None:
    assert architecture.of_layer(tmp_path / "missing") is None


@pytest.mark.parametrize("environment", ["default", "staging", "prod"])
def test_an_environment_deploys_the_templates_default(environment: str) -> None:
    [deployed] = make_stack().resources["SubmitImportFunction"].properties["Architectures"]
    assert architecture.of_environment(environment) == deployed


@pytest.mark.parametrize("overrides", ['["Environment=prod", "Architecture=x86_64"]', '"Architecture=\\"x86_64\\""'])
def test_an_environment_may_have_an_architecture_of_its_own(tmp_path: Path, overrides: str) -> None:
    (tmp_path / "samconfig.toml").write_text(f"[prod.deploy.parameters]\nparameter_overrides = {overrides}\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE.read_text())
    assert architecture.of_environment("prod", tmp_path) == "x86_64"


def test_what_was_built_for_the_other_processor_is_not_deployed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(architecture, "of_layer", lambda: "x86_64")
    assert architecture.main(["--check", "prod"]) == 1
    assert capsys.readouterr().err == (
        "prod deploys to arm64, but the build in .aws-sam is for x86_64. Run `make build ENV=prod` first.\n"
    )
    monkeypatch.setattr(architecture, "of_layer", lambda: None)
    assert architecture.main(["--check", "prod"]) == 1
    assert "is missing. Run `make build ENV=prod` first" in capsys.readouterr().err
    monkeypatch.setattr(architecture, "of_layer", lambda: "arm64")
    assert architecture.main(["--check", "prod"]) == 0


def test_it_prints_what_to_build_for(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert architecture.main([]) == 0
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert architecture.main([]) == 0
    assert architecture.main(["staging"]) == 0
    assert capsys.readouterr().out.split() == ["arm64", "x86_64", "arm64"]
    assert architecture.main(["nowhere"]) == 2
    assert "no environment 'nowhere'" in capsys.readouterr().err

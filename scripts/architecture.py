"""Say for which processor to build, and refuse to deploy what was built for the other one.

    python -m scripts.architecture              # this machine's architecture
    python -m scripts.architecture ENV          # the one that this environment of samconfig.toml deploys
    python -m scripts.architecture --check ENV  # exit status 1 if .aws-sam/build has the layer for the other one

It needs only Python, because a deployment sets up nothing else but SAM.
"""

import platform
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
BUILT_LAYER: Final = ROOT / ".aws-sam/build/JobferryLayer"
#: An ELF file's field e_machine, and the architecture's name at Lambda.
_MACHINES: Final = {0x3E: "x86_64", 0xB7: "arm64"}


def of_this_machine() -> str:
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def of_environment(name: str, root: Path = ROOT) -> str:
    """Return the architecture that an environment deploys: its own setting, or the template's default.

    Raises KeyError if samconfig.toml has no such environment.
    """
    overrides = tomllib.loads((root / "samconfig.toml").read_text())[name]["deploy"]["parameters"][
        "parameter_overrides"
    ]
    default = re.search(
        r"^  Architecture:\n(?: {4}.*\n)*? {4}Default: (\w+)", (root / "template.yaml").read_text(), re.MULTILINE
    )
    own = re.search(r"\bArchitecture=\W?(\w+)", str(overrides))
    if own is None and default is None:
        raise KeyError("Architecture")
    return (own or default)[1]  # type: ignore[index]  # one of them is there


def of_layer(folder: Path = BUILT_LAYER) -> str | None:
    """Return the architecture of a built layer, as its compiled modules have it; None if nothing is built."""
    for path in folder.rglob("*.so"):
        with path.open("rb") as file:
            header = file.read(20)
        if header.startswith(b"\x7fELF"):
            return _MACHINES.get(int.from_bytes(header[18:20], "little"))
    return None


def complaint(environment: str, deployed: str, built: str | None) -> str | None:
    """Return why what was built cannot be deployed, and what to do; None if it can."""
    if built == deployed:
        return None
    found = f"is for {built}" if built else "is missing"
    return f"{environment} deploys to {deployed}, but the build in .aws-sam {found}. Run `make build ENV={environment}` first."


def main(arguments: Sequence[str]) -> int:
    """Print the architecture or the complaint."""
    check = arguments[:1] == ["--check"]
    environment = "".join(arguments[1:] if check else arguments)
    try:
        architecture = of_environment(environment) if environment else of_this_machine()
    except KeyError:
        print(f"samconfig.toml has no environment {environment!r} with an Architecture", file=sys.stderr)
        return 2
    if not check:
        print(architecture)
    elif reason := complaint(environment, architecture, of_layer()):
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

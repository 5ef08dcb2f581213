"""Makes botocore's models of the services that the functions use quicker to read: `python service_models.py PACKAGES`.

They come compressed and with the documentation of every field, most of their text, which nobody reads there. To read
S3's is a tenth of SubmitImport's cold start, and half of that as it is written here.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any, Final

SERVICES: Final = ("dynamodb", "lambda", "s3", "secretsmanager", "sns")


def without_text(member: dict[str, Any]) -> dict[str, Any]:
    """A part of a model with an empty text: botocore asks for some of them by name. A structure may have a member called so."""
    return member | {"documentation": ""} if isinstance(member.get("documentation"), str) else member


def main(packages: Path) -> None:
    for service in SERVICES:
        models = sorted((packages / "botocore/data" / service).glob("*/*.json.gz"))
        if not models:
            sys.exit(f"botocore has no compressed models of {service}: is service_models.py still of use?")
        for model in models:
            plain = json.loads(gzip.decompress(model.read_bytes()), object_hook=without_text)
            model.with_suffix("").write_text(json.dumps(plain, separators=(",", ":")))
            model.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

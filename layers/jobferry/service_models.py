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


def without_documentation(model: Any) -> Any:
    """The model with empty texts: botocore asks for some of them by name. A structure's member may be called so too."""
    if isinstance(model, dict):
        return {
            key: "" if key == "documentation" and isinstance(value, str) else without_documentation(value)
            for key, value in model.items()
        }
    return [without_documentation(each) for each in model] if isinstance(model, list) else model


def main(packages: Path) -> None:
    for service in SERVICES:
        models = sorted((packages / "botocore/data" / service).glob("*/*.json.gz"))
        if not models:
            sys.exit(f"botocore has no compressed models of {service}: is service_models.py still of use?")
        for model in models:
            plain = without_documentation(json.loads(gzip.decompress(model.read_bytes())))
            model.with_suffix("").write_text(json.dumps(plain, separators=(",", ":")))
            model.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

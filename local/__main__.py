"""`python -m local demo` and `python -m local serve`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(".local")


def main() -> int:
    options = _parser().parse_args()
    status: int = options.run(options)
    return status


def _demo(_options: argparse.Namespace) -> int:
    from local import demo
    from local.template import TemplateError

    try:
        demo.run(FOLDER)
    except (demo.UnexpectedResultError, TemplateError, TimeoutError) as error:
        print(f"\nThe demonstration failed. {error}\nThe functions' logs are in {FOLDER / 'logs'}.", file=sys.stderr)
        return 1
    return 0


def _serve(options: argparse.Namespace) -> int:
    from local.serving import serve
    from local.template import TemplateError

    try:
        serve(FOLDER, parameters=dict(options.parameter))
    except TemplateError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="Run jobferry on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="show and check two nights of an agency")
    demo.set_defaults(run=_demo)
    serve = commands.add_parser("serve", help="leave the same system running")
    serve.set_defaults(run=_serve)
    serve.add_argument(
        "--parameter",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=VALUE",
        help="set a parameter of the template; may be repeated",
    )
    return parser


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError("NAME=VALUE was expected")
    return name, value


if __name__ == "__main__":
    sys.exit(main())

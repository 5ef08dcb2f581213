"""`python -m local demo`, `serve`, and what one tries on the system that `serve` leaves running."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from local.commands import Served

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
    except (demo.NotAsItShouldBeError, TemplateError, TimeoutError) as error:
        print(
            f"\nThis is not as it should be. {error}\nWhat the functions logged is in {FOLDER / 'logs'}.",
            file=sys.stderr,
        )
        return 1
    return 0


def _serve(options: argparse.Namespace) -> int:
    from local.serving import serve
    from local.template import TemplateError

    try:
        serve(
            FOLDER,
            _python(),
            host=options.host,
            reached_as=options.reached_as,
            env_file=options.env_file,
            parameters=dict(options.parameter),
        )
    except TemplateError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _python() -> str:
    """This interpreter as one calls it from here."""
    path = Path(sys.executable)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _put(options: argparse.Namespace) -> int:
    Served(FOLDER).put(options.path, options.feed)
    return 0


def _run(options: argparse.Namespace) -> int:
    return Served(FOLDER).run(options.feed, dry_run=options.dry_run, confirm_deletes=options.confirm_deletes)


def _schedule(_options: argparse.Namespace) -> int:
    return Served(FOLDER).schedule()


def _poll(_options: argparse.Namespace) -> int:
    return Served(FOLDER).poll()


def _imports(options: argparse.Namespace) -> int:
    Served(FOLDER).imports(options.import_id)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="jobferry on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(run=run)
        return added

    command("demo", _demo, "two nights of an agency, told and checked")
    serve = command("serve", _serve, "the same system, left running")
    serve.add_argument("--host", default="127.0.0.1", help="0.0.0.0 to be reached from containers")
    serve.add_argument("--reached-as", default="127.0.0.1", metavar="ADDRESS", help="this machine's, for containers")
    serve.add_argument("--env-file", type=Path, help="gets the functions' environments as JSON")
    serve.add_argument(
        "--parameter", action="append", default=[], type=_pair, metavar="NAME=VALUE", help="of the template; repeat it"
    )
    put = command("put", _put, "put a file, or a folder's files, into a feed")
    put.add_argument("path", type=Path)
    put.add_argument("--feed", default="default")
    run = command("run", _run, "run a feed as a person would")
    run.add_argument("feed", nargs="?", default="default")
    run.add_argument("--dry-run", action="store_true")
    run.add_argument("--confirm-deletes", metavar="CODE")
    command("schedule", _schedule, "fire the schedule's event as of now")
    command("poll", _poll, "run the poller now")
    imports = command("imports", _imports, "every import and its result, or one import with its failed jobs")
    imports.add_argument("import_id", nargs="?")
    return parser


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError("NAME=VALUE was expected")
    return name, value


if __name__ == "__main__":
    sys.exit(main())

"""`python -m local.board --api-key KEY`: runs the sandbox board alone, until Ctrl-C or SIGTERM."""

import argparse
import json
import signal
import threading
from types import FrameType

from local.board import Fault, SandboxBoard


def main() -> None:
    options = _parser().parse_args()
    done = threading.Event()

    def finish(_number: int, _frame: FrameType | None) -> None:
        done.set()

    signal.signal(signal.SIGINT, finish)
    signal.signal(signal.SIGTERM, finish)
    board = SandboxBoard(
        dict(options.api_key),
        host=options.host,
        port=options.port,
        seed=options.seed,
        processing_seconds=options.processing_seconds,
        allow_any_callback_host=options.allow_any_callback_host,
        max_body_bytes=options.max_body_bytes,
    )
    board.faults.add(*options.fault)
    with board:
        print(f"The board's API is at {board.url}, its page at {board.origin}/", flush=True)
        done.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.board", description="Run the sandbox board alone.")
    parser.add_argument(
        "--api-key",
        action="append",
        required=True,
        type=_key_and_account,
        metavar="KEY[=ACCOUNT]",
        help="an API key and its account's name; may be repeated",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="bind to this address; 0.0.0.0 to be reached from containers"
    )
    parser.add_argument("--port", type=int, default=8080, help="0 for a free port")
    parser.add_argument("--seed", type=int, help="make the ids and random faults the same each time")
    parser.add_argument(
        "--processing-seconds", type=float, default=0.2, help="how long an import takes from pending to complete"
    )
    parser.add_argument("--max-body-bytes", type=int, default=256 * 2**20, help="answer larger bodies with 413")
    parser.add_argument("--allow-any-callback-host", action="store_true", help="also send callbacks to other machines")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=_fault,
        metavar="JSON",
        help="a fault (docs/sandbox.md); may be repeated",
    )
    return parser


def _key_and_account(text: str) -> tuple[str, str]:
    key, _, account = text.partition("=")
    return key, account or "Sandbox"


def _fault(text: str) -> Fault:
    try:
        return Fault.from_json(json.loads(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    main()

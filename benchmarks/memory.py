"""Build one feed in a separate process and print its peak memory in bytes: `python -m benchmarks.memory PATH`."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

MILLION = "million"


def peak(what: str | Path) -> int:
    """Return the peak resident memory, in bytes, of a process that builds the feed at `what` or holds a MILLION reference
    numbers."""
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", str(what)], check=True, stdout=subprocess.PIPE, text=True
    )
    return int(ended.stdout)


def _main(what: str) -> None:
    from benchmarks.contestants import archive, build
    from jobferry.feeds.settings import FeedSettings
    from jobferry.payload.reference_set import ReferenceSet

    if what == MILLION:
        references = ReferenceSet()
        for number in range(1_000_000):
            references.add(f"LT-{number:07d}")
        assert len(references) == 1_000_000
    elif what:
        with tempfile.TemporaryDirectory(dir=Path(what).parent) as directory:
            archive(build(Path(what), Path(directory), FeedSettings(maxFeedBytes=1 << 40)))
    print(peak_here())


def peak_here() -> int:
    """Return the peak of this process. On Linux, ru_maxrss includes the parent process; VmHWM does not."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    _main(sys.argv[1])

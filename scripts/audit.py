"""Looks the layer's pinned packages up among the known vulnerabilities. Exit status: 1 when one has any.

pip-audit calls a package that it could not look up no vulnerability found. Here that is a skip, and said so.
"""

import json
import subprocess
import sys

REQUIREMENTS = "layers/jobferry/requirements.txt"
COMMAND = [
    "pip-audit",
    "--disable-pip",
    "--require-hashes",
    "--timeout",
    "10",
    "--progress-spinner",
    "off",
    "--format",
    "json",
    "--requirement",
]


def main() -> int:
    """Runs pip-audit and says what it found."""
    run = subprocess.run([*COMMAND, REQUIREMENTS], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (run.stderr.strip().splitlines() or ["no answer"])[-1]
        print(f"audit: SKIPPED, the vulnerability service cannot be reached: {last}")
        return 0
    vulnerable = [package for package in packages if package.get("vulns")]
    for package in vulnerable:
        for each in package["vulns"]:
            fixed = ", ".join(each["fix_versions"]) or "no version"
            print(f"audit: {package['name']} {package['version']} has {each['id']}, mended in {fixed}")
    skipped = sum("skip_reason" in package for package in packages)
    if skipped == len(packages):
        print("audit: SKIPPED, the vulnerability service cannot be reached or knows none of the packages")
    else:
        looked_up = f"{len(packages) - skipped} of {len(packages)} packages looked up"
        print(f"audit: {looked_up}, {len(vulnerable)} with known vulnerabilities")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())

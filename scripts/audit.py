"""Check the layer's pinned packages for known vulnerabilities. Exit status 1 if a package has one.

pip-audit also succeeds when it could not look a package up. This script reports such a package as skipped.
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
    """Run pip-audit and report what it found."""
    run = subprocess.run([*COMMAND, REQUIREMENTS], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (run.stderr.strip().splitlines() or ["no answer"])[-1]
        print(f"audit: SKIPPED, the vulnerability service cannot be reached: {reason}")
        return 0
    vulnerable = [package for package in packages if package.get("vulns")]
    for package in vulnerable:
        for vulnerability in package["vulns"]:
            fixed_in = ", ".join(vulnerability["fix_versions"]) or "no version"
            print(f"audit: {package['name']} {package['version']} has {vulnerability['id']}, fixed in {fixed_in}")
    skipped = sum("skip_reason" in package for package in packages)
    if skipped == len(packages):
        print("audit: SKIPPED, the vulnerability service cannot be reached or does not know any of the packages")
    else:
        checked = f"{len(packages) - skipped} of {len(packages)} packages checked"
        print(f"audit: {checked}, {len(vulnerable)} with known vulnerabilities")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())

"""Known weaknesses of the pinned packages, by pip-audit. Without its service it says so and lets the check pass."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

WITHIN_S = 40
COMMAND = (
    *(sys.executable, "-m", "pip_audit", "--requirement", "requirements-dev.txt"),
    *("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "10"),
)


def main() -> int:
    """0: nothing known, or nobody to ask; 1: a package has a known weakness."""
    try:
        done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=WITHIN_S, check=False)  # noqa: S603 - our own interpreter
    except subprocess.TimeoutExpired:
        return _skipped(f"no answer within {WITHIN_S} s")
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return _skipped((done.stderr.strip().splitlines() or ["pip-audit gave no result"])[-1][:200])
    weak = [package for package in packages if package.get("vulns")]
    for package in weak:
        for known in package["vulns"]:
            fixed = ", ".join(known["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {known['id']}, repaired in {fixed}")
    if weak:
        print("Pin a repaired version in requirements.txt or requirements-dev.txt.")
        return 1
    unknown = [package for package in packages if "skip_reason" in package]
    if len(unknown) == len(packages):
        return _skipped(unknown[0]["skip_reason"] if unknown else "no package was looked at")
    print(f"Dependency scan: {len(packages) - len(unknown)} packages without known weaknesses, {len(unknown)} unknown.")
    return 0


def _skipped(reason: str) -> int:
    print(f"Dependency scan skipped: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The score of the last `make mutate`: how many of the changes made to the decisions were noticed by a test."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

LEAST = 0.85
NOTICED = {"killed", "timeout", "caught by type check", "segfault"}


def main() -> int:
    """0 when at least `LEAST` were noticed; the survivors are printed for docs/testing.md to explain."""
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", "results", "--all", "true"], capture_output=True, text=True, check=True
    )  # fmt: skip
    results = dict(line.strip().rsplit(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    if not results:
        print("There are no results yet: make mutate")
        return 1
    low = False
    for package in ("shared.webhook", "shared.domain"):
        counts = Counter(outcome for name, outcome in results.items() if name.startswith(package))
        tried = sum(count for outcome, count in counts.items() if outcome != "not checked")
        noticed = sum(counts[outcome] for outcome in NOTICED)
        print(f"{package}: {noticed} of {tried} noticed, {noticed / max(tried, 1):.1%} {dict(counts)}")
        low |= noticed < LEAST * tried
    survivors = [name for name, outcome in results.items() if outcome not in NOTICED]
    print("\n".join(f"  {name}: {results[name]} (mutmut show {name})" for name in survivors))
    return int(low)


if __name__ == "__main__":
    sys.exit(main())

"""What the last `make mutate` found: how many of the changes made to the decisions a test noticed, and the others.

A change is noticed when a test fails, or runs for ever in CPU time, which a busy machine does not use up. Every other
one must stand in `survivors.toml` with the reason why no test can tell it from the original, or why none
need. Changes are known by their text, because mutmut's numbers move with every edit; what is not in the file is printed
as it would be written there.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import get_module_from_key, orig_function_and_class_names_from_key

LEAST = 0.85
PACKAGES = ("shared.webhook", "shared.domain")
NOTICED = ("killed", "timeout")
EXPLAINED = Path(__file__).with_name("survivors.toml")
type Change = tuple[str, str]
"""The function, and the lines that differ, as a diff shows them."""


def outcomes() -> Iterator[tuple[str, str]]:
    """mutmut's name of each change, and what became of it."""
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, exit_code in data.exit_code_by_key.items():
            yield name, status_by_exit_code[exit_code]


def change_of(name: str) -> Change:
    """What mutmut's name stands for."""
    function, owner = orig_function_and_class_names_from_key(name)
    module = get_module_from_key(name)
    lines = get_diff_for_mutant(name, path=f"{module.replace('.', '/')}.py").splitlines()[3:]
    differing = [f"{line[0]} {line[1:].strip()}" for line in lines if line[0] in "-+"]
    return ".".join(filter(None, (module, owner, function))), "\n".join(differing)


def explained() -> dict[Change, str]:
    """Every change of the list, with its reason."""
    groups = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["survivors"]
    return {
        (function, change.strip()): group["because"]
        for group in groups
        for function, changes in group["changes"].items()
        for change in changes
    }


def score(package: str, found: Mapping[str, str]) -> bool:
    """Print one package's score; whether it is high enough."""
    counts = Counter(outcome for name, outcome in found.items() if name.startswith(package))
    made, noticed = counts.total(), sum(counts[outcome] for outcome in NOTICED)
    each = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    print(f"{package}: {noticed} of {made} changes noticed, {noticed / max(made, 1):.1%} ({each})")
    return noticed >= LEAST * made > 0


def main() -> int:
    """0 when every change was tried, enough were noticed in each package, and the rest is explained."""
    found = dict(outcomes())
    high = [score(package, found) for package in PACKAGES]
    if "not checked" in found.values() or "check was interrupted by user" in found.values():
        print("Not all changes were tried: make mutate")
        return 1
    known, left = explained(), {change_of(name): outcome for name, outcome in found.items() if outcome not in NOTICED}
    unknown: dict[str, list[str]] = defaultdict(list)
    for function, change in sorted(left.keys() - known.keys()):
        unknown[function].append(change)
    for function, changes in unknown.items():
        print(f'"{function}" = [' + "".join(f"\n'''\n{change}\n'''," for change in changes) + "\n]")
    past = sorted(known.keys() - left.keys())
    for function, change in past:
        print(f"No longer true of {function}:\n{change}")
    print(
        f"{len(left)} not noticed: {len(left.keys() & known.keys())} explained, {len(left.keys() - known.keys())} not"
    )
    return int(bool(unknown or past) or not all(high))


if __name__ == "__main__":
    sys.exit(main())

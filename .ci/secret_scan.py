"""Secrets in the repository's files, by detect-secrets, that the baseline does not know to be planted.

`--renew` writes the baseline anew: look at what it adds before you commit it. Names such as `password` are not followed
in the tests and the sandbox, whose credentials are public; forms (keys, tokens, high entropy) are, everywhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / ".secrets.baseline"
PLANTED = ("tests/", "sandbox/")


def found() -> dict[str, set[tuple[str, str]]]:
    """File → (kind, hash) of what looks like a secret in it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 - git as the person has it
    names = [name for name in listed.stdout.split("\0") if name and name != BASELINE.name and (ROOT / name).is_file()]
    secrets = SecretsCollection(root=str(ROOT))
    with default_settings():
        secrets.scan_files(*names)
    kept: dict[str, set[tuple[str, str]]] = {}
    for name, secret in secrets:
        if not (secret.type == "Secret Keyword" and name.startswith(PLANTED)):
            kept.setdefault(name, set()).add((secret.type, secret.secret_hash))
    return kept


def main() -> int:
    """0: nothing new, or no files to tell apart from what was only downloaded; 1: something that may be a secret."""
    try:
        now = found()
    except (OSError, subprocess.CalledProcessError):
        print("Secret scan skipped: this is no git checkout")
        return 0
    if "--renew" in sys.argv:
        known = {name: sorted(map(list, secrets)) for name, secrets in sorted(now.items())}
        BASELINE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        return 0
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    known = {(name, kind, digest) for name, secrets in baseline.items() for kind, digest in secrets}
    new = [
        (name, kind) for name, secrets in now.items() for kind, digest in secrets if (name, kind, digest) not in known
    ]
    for name, kind in sorted(new):
        print(f"{name}: {kind}")
    if new:
        print("Remove the secret and renew it where it is valid. A planted one: python .ci/secret_scan.py --renew")
    return bool(new)


if __name__ == "__main__":
    sys.exit(main())

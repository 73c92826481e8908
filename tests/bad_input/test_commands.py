"""Commands on a machine that lacks what they need: one sentence, the remedy in it, exit code 1.

A port in use, a directory with other files, a second sandbox: `tests/sandbox/test_supervisor.py`.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_set_up_without_python_3_13_says_what_to_install(tmp_path: Path) -> None:
    """In a copy of the checkout, with nothing on the path but what the script itself is made of."""
    checkout, tools = tmp_path / "checkout", tmp_path / "bin"
    tools.mkdir()
    shutil.copytree(ROOT / ".ci", checkout / ".ci")
    (checkout / ".venv").mkdir()
    (tools / "dirname").symlink_to(shutil.which("dirname") or "")
    done = subprocess.run(  # noqa: S603 - our own script
        [shutil.which("bash") or "", str(checkout / ".ci/make-venv")],
        env={"PATH": str(tools), "HOME": str(tmp_path), "PYENV_ROOT": str(tmp_path / "pyenv")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Python 3.13 is needed and was not found: install it (for example ")
    assert "uv python install 3.13" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (checkout / ".venv").is_dir(), "an earlier environment is left alone"


def test_set_up_passes_over_another_version(tmp_path: Path) -> None:
    checkout, tools = tmp_path / "checkout", tmp_path / "bin"
    tools.mkdir()
    shutil.copytree(ROOT / ".ci", checkout / ".ci")
    (tools / "dirname").symlink_to(shutil.which("dirname") or "")
    for name in ("python3", "python3.13", "uv"):
        (tools / name).write_text("#!/bin/bash\nexit 1\n")  # as a Python of another version answers the question
        (tools / name).chmod(0o755)
    done = subprocess.run(  # noqa: S603 - our own script
        [shutil.which("bash") or "", str(checkout / ".ci/make-venv")],
        env={"PATH": str(tools), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert not (checkout / ".venv").exists()

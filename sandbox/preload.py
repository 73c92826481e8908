"""What the parts have to load, loaded once: imported by the process that the parts are forked from, and only there.

Each part then starts in a tenth of a second instead of one to two. Nothing may be decided here that a part decides from
its environment or its state directory: modules are loaded, and nothing of them is called. The connector's own modules
(`function_app`, `shared`) stay out, because the host loads them from the folder of its app. Named by `sandbox.process`.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys

import azure.functions
import azure.identity
import azure.keyvault.secrets  # noqa: F401 - the app's largest packages, for the host

from sandbox.supervisor import PARTS

os.setsid()  # what the terminal says is for the supervisor, which would lose sight of its parts without this process
for _part in PARTS:
    importlib.import_module(f"sandbox.{_part}.__main__")
    del sys.modules[f"sandbox.{_part}.__main__"]  # each part runs this one itself, as `python -m` does
gc.freeze()  # a collection in one of the parts would touch, and so copy, all of it

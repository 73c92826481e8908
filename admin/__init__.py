"""The operator's and the maintainer's commands: `python -m admin`."""

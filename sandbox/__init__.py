"""The whole system on one machine; `docs/sandbox.md` says what is real in it and what is simulated."""

"""The live page: Partner Center left, Dynamics 365 right, what travels between them in the middle.

A small server (`server`) that shows what `board` reads and does what `actions` allows, so that the browser needs
neither the simulators' certificates nor their interfaces. It must never call the connector: changes are made as people
make them, and whatever appears on the other side was carried there. The browser's half is in `static`, without a build.
"""

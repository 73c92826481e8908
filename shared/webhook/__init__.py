"""The trust decision for Partner Center's webhook calls, sans-I/O.

Pure functions of headers, bytes, certificate, policy and time: no network, no clock, no environment, no logging.
`verify` is the entry; `policy` says what is trusted; `bounds`, `signature`, `certificate` and `event` are its four
steps. Whoever calls must fetch the certificate in between: see `shared.trust`.
"""

"""The Functions host of the sandbox: HTTP, Service Bus and timer triggers for an unmodified `function_app.py`.

Azure runs an app as two programs, a host that waits for triggers and a Python worker that decodes and calls. The worker
is Microsoft's own package here (`runtime.py`); this package is the other half. It must never know the connector: any
app with these three triggers runs. Start reading at `process.py`.
"""

"""The sandbox's broker: AMQP 1.0 with the dialect of Azure Service Bus, durable in SQLite, pure Python.

It stands for a Service Bus namespace so that the unmodified azure-servicebus SDK works against it. `engine` decides
what happens to messages, `store` keeps them, `codec` to `connection` speak the wire, `broker` joins them, `admin` is
the window for tests and the page. Never imported by the product. Start with `engine`.
"""

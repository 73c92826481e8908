"""A Dataverse environment on one machine: Web API in, Service Bus messages out. Start with `__main__`, then `api`."""

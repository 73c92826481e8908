"""Planted secrets and personal data, in the forms the vendors give them: none may turn up where people read (P11)."""

from __future__ import annotations

GUID = "c3a1d7f4-0b7e-4d0c-9a53-3f1f6b2d9e70"
TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ"
REFRESH_TOKEN = "1.AXQAcanary-refresh-token_0123456789.AgABAwEAAAD"
CLIENT_SECRET = "abc8Q~canary-client-secret_0123456789.abcd"
SAS_KEY = "Y2FuYXJ5LXNhcy1rZXktb2Ytc2VydmljZS1idXM="
FUNCTION_KEY = "canaryFunctionKey-0123456789abcdef=="
MAILBOX = "canary.person@customer.example"
PHONE = "+47 555 07731"
NOTE = "The buyer is called away to the canary islands until March"
CONNECTION_STRING = f"Endpoint=sb://127.0.0.1:1/;SharedAccessKeyName=app;SharedAccessKey={SAS_KEY}"

AS_A_VENDOR_KNOWS_THEM = (
    f"Bearer {TOKEN}, {REFRESH_TOKEN}, client_secret={CLIENT_SECRET}, {CONNECTION_STRING}, {MAILBOX}, {PHONE}, "
    f"https://contoso.azurewebsites.net/api/partner_center_webhook?code={FUNCTION_KEY}&x=1"
)
"""In the surroundings that give them away; a note is only ever known from what was sent."""

ALL = {
    "token": TOKEN,
    "refresh token": REFRESH_TOKEN,
    "client secret": CLIENT_SECRET,
    "SAS key": SAS_KEY,
    "function key": FUNCTION_KEY.rstrip("="),
    "e-mail address": MAILBOX,
    "telephone number": PHONE,
    "note": NOTE,
    "part of the note": "canary islands",
    "signature of the token": TOKEN.rpartition(".")[2],
}


ENVIRONMENT = {
    "PC_TENANT_ID": GUID,
    "PC_CLIENT_ID": GUID,
    "PC_CLIENT_SECRET": CLIENT_SECRET,
    "KEY_VAULT_URL": "https://contoso.vault.azure.net",
    "DATAVERSE_URL": "https://contoso.crm.dynamics.com",
    "ServiceBusConnection": CONNECTION_STRING,
    "WEBHOOK_URL": f"https://contoso.example/api/partner_center_webhook?code={FUNCTION_KEY}",
    "NOTIFY_URL": f"https://contoso.webhook.office.com/x?sig={FUNCTION_KEY}",
    "DEFAULT_TEAM_PHONE": PHONE,
}
"""Settings that hold them wherever settings can."""
PERSON = {"emailaddress1": MAILBOX, "telephone1": PHONE, "description": NOTE}


def found(text: str) -> list[str]:
    """Names of the canaries in a text, however quoted."""
    plain = text.replace("\\n", " ").replace("%40", "@").replace("%20", " ")
    return [name for name, value in ALL.items() if value in plain]

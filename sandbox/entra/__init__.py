"""Microsoft Entra ID and Key Vault on one port: `python -m sandbox.entra --state DIR`.

Answers what azure-identity, msal and azure-keyvault-secrets ask, unmodified. `directory` is the state, `token_endpoint`
and `sign_in` the OAuth side, `key_vault` the secrets, `control` the switches below `/_sim`.
"""

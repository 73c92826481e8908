"""Partner Center on loopback: referrals API, webhook registration, signed delivery.

`python -m sandbox.partner_center --state DIR`. `api` and `registration` are the vendor's HTTP, `control` is ours;
`deals` holds what any of the actors may do to a referral (the client through `api`, Microsoft through `microsoft`, a
person through `portal`); `schema`, `rules`, `patch` and `listing` are the decisions; `store` keeps everything in
SQLite; `events`, `sending` and `signing` deliver the webhooks.
"""

"""English, the default. A key is a code, `CODE.case` where a code has several sentences, or an outcome in lower case.

Sentences stand behind their code and a colon, so they begin in lower case and end without a full stop. The connector
remembers what it told by these very sentences: a changed one is told once more.
"""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {
    # what a deal lacks before it can be shared
    "OPPORTUNITY_CLOSED": "the opportunity is closed; only an open one can be shared",
    "HELP_OPTION_UNMAPPED": "option {option} of How can Microsoft help? has no counterpart in Partner Center",
    "SOLUTION_REQUIRED": "add at least one co-sell ready or Microsoft solution",
    "TOO_MANY_SOLUTIONS": "{count} solutions; Partner Center takes at most {most}",
    "CUSTOMER_REQUIRED": "choose the customer's account",
    "COUNTRY_MISSING": 'account "{name}" has no country; a two-letter ISO code is needed',
    "COUNTRY_INVALID": 'account "{name}" has country "{country}"; a two-letter ISO code is needed',
    "COUNTRY_INVALID.perhaps": 'account "{name}" has country "{country}"; a two-letter ISO code is needed, '
    "perhaps {hint}",
    "ADDRESS_INCOMPLETE": 'account "{name}" has no {missing}',
    "CONTACT_REQUIRED": "choose a customer contact: Microsoft's help was asked for",
    "CONTACT_INCOMPLETE": "the customer contact has no {missing}",
    "DEAL_VALUE_REQUIRED": "give the estimated revenue, more than 0",
    "CLOSE_DATE_REQUIRED": "give the estimated close date",
    "CURRENCY_REQUIRED": "choose a currency that has an ISO code",
    "TEAM_REQUIRED": "assign the opportunity to a user: Partner Center needs a team member",
    "TEAM_REQUIRED.incomplete": "the owner has no {missing}",
    "CONSENT_REQUIRED": "confirm that the customer agreed to share the contact's data",
    # what of a change was not taken over
    "DEAL_VALUE_EMPTY": "the deal value is empty or 0 and was not sent; Partner Center keeps its value",
    "SOLUTION_REQUIRED.kept": "a deal needs at least one solution; Partner Center keeps the last list",
    "CLOSE_DATE_REQUIRED.kept": "the close date is empty and was not sent",
    "TEAM_REQUIRED.kept": "the owner is no user with name, e-mail and phone; Partner Center keeps the team",
    "CONTACT_INCOMPLETE.kept": "no contact with name, e-mail, phone and consent; Partner Center keeps the last one",
    "NAME_NOT_UPDATABLE": "Partner Center does not take a new name for a deal; it keeps the old one",
    "CUSTOMER_READONLY": "Partner Center does not take another customer for a deal",
    "CONTACT_READONLY": "Microsoft was shown the deal; Partner Center keeps the customer contact it has",
    "VISIBILITY_IRREVERSIBLE": "a deal visible to Microsoft's sellers cannot be hidden again; the column was restored",
    "HELP_IRREVERSIBLE": "the help asked of Microsoft cannot be changed any more; the column was restored",
    "*": "{field} cannot be changed any more",
    "CONFLICT": "{field}: Partner Center has {pc}, Dynamics 365 has {crm}; make them equal",
    "CURRENCY_UNKNOWN": "{currency} is not an active currency of the CRM; value and currency were left as they are",
    "CURRENCY_UNKNOWN.no_rate": "{currency} is not an active currency of the CRM, "
    "and CURRENCY_RATES has no rate for it; "
    "value and currency were left as they are",
    "CURRENCY_CONVERTED": "{there} in Partner Center, which is {here} at the rate {rate}",
    "CURRENCY_LOCKED": "the opportunity's price list or products fix its currency; "
    "value and currency were left as they are",
    "ACCOUNT_AMBIGUOUS": "{count} accounts match the customer; the most recently changed active one was taken",
    # which deal it is, and where it stands
    "REFERRAL_UNKNOWN": "Partner Center has no deal with this Referral Identifier; correct or empty it",
    "REFERRAL_NOT_OURS": "Referral Identifier names somebody else's record of a deal; enter that of ours",
    "REFERRAL_ALREADY_LINKED": "the deal in Referral Identifier belongs to another opportunity",
    "RESPOND_BY": "answer this deal by {day}, or Partner Center lets it expire",
    "SYNC_DELAYED": "what was changed here has not reached Partner Center since {since}; it is tried again by itself",
    "BRAKE_CLOSINGS": "unusually many deals were closed within an hour; this closing waits for an operator",
    "STATUS_UNKNOWN": "Partner Center shows the status {status}/{substatus}; nothing was changed",
    "CONFLICT_TERMINAL": "the deal was {pc} in Partner Center, which cannot be undone; the opportunity follows",
    "CONFLICT_TERMINAL.differs": "the deal is {pc} in Partner Center and {crm} in Dynamics 365; "
    "Partner Center cannot be changed any more",
    "DEAL_TERMINAL": "the deal is closed in Partner Center and takes no more changes; create a new one",
    "PC_ERROR_STATE": "Partner Center closed the deal with an error",
    "WON_BEFORE_72H": "won within 72 hours of its creation; it may not qualify for incentives",
    # outcomes
    "shared": "referral created",
    "shared_with_help": "referral created, Microsoft's help asked for",
    "help_asked": "Microsoft's help asked for",
    "status_sent": "status {status}/{substatus}",
    "opportunity_created": "opportunity created",
    "linked": "linked to the referral that names it",
    "accepted_there": "accepted in Partner Center",
    "won_there": "Won in Partner Center",
    "lost_there": "Lost in Partner Center",
    "declined_there": "Declined in Partner Center",
    "expired_there": "Expired in Partner Center",
    "error_there": "Closed with an error in Partner Center",
    "microsoft_status": "Microsoft status {old}>{new}",
    "microsoft_status_first": "Microsoft status (none)>{new}",
    "microsoft_identifier": "Microsoft CRM identifier filled",
    "microsoft_seller": "1 Microsoft seller",
    "microsoft_sellers": "{count} Microsoft sellers",
    "reason": "reason {reason}",
    "partner_status": "another partner is {status}/{substatus}",
    "copy": "a copy of a shared opportunity: the other deal's identifiers were removed and Sync was set to No",
    "lead_created": "lead created",
    "lead_ended": "lead {pc} in Partner Center",
}
WORDS: Mapping[str, str] = {
    "street": "street",
    "city": "city",
    "first_name": "first name",
    "last_name": "last name",
    "phone": "phone",
    "email": "e-mail",
    "new": "new",
    "active": "active",
    "won": "won",
    "lost": "lost",
    "declined": "declined",
    "expired": "expired",
    "error": "error",
    "unknown": "unknown",
}
BETWEEN = " and no "
"""Words are only listed where something is missing."""

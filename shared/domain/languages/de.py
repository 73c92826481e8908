"""German, with Sie. Words follow the German Dynamics 365 (Verkaufschance, Firma, Kontakt, Besitzer); columns of the
connector's own are named as they stand on the form.
"""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {
    # what a deal lacks before it can be shared
    "OPPORTUNITY_CLOSED": "die Verkaufschance ist geschlossen; nur eine offene kann geteilt werden",
    "HELP_OPTION_UNMAPPED": "die Option {option} von How can Microsoft help? hat in Partner Center keine Entsprechung",
    "SOLUTION_REQUIRED": "fügen Sie mindestens eine Co-Sell-fähige Lösung oder eine Lösung von Microsoft hinzu",
    "TOO_MANY_SOLUTIONS": "{count} Lösungen; Partner Center nimmt höchstens {most}",
    "CUSTOMER_REQUIRED": "wählen Sie die Firma des Kunden aus",
    "COUNTRY_MISSING": 'bei der Firma "{name}" fehlt das Land; benötigt wird ein ISO-Code aus zwei Buchstaben',
    "COUNTRY_INVALID": 'bei der Firma "{name}" steht als Land "{country}"; benötigt wird ein ISO-Code aus zwei '
    "Buchstaben",
    "COUNTRY_INVALID.perhaps": 'bei der Firma "{name}" steht als Land "{country}"; benötigt wird ein ISO-Code aus zwei '
    "Buchstaben, vielleicht {hint}",
    "ADDRESS_INCOMPLETE": 'bei der Firma "{name}" fehlt: {missing}',
    "CONTACT_REQUIRED": "wählen Sie einen Kontakt des Kunden aus: Sie haben Microsoft um Unterstützung gebeten",
    "CONTACT_INCOMPLETE": "beim Kontakt des Kunden fehlt: {missing}",
    "DEAL_VALUE_REQUIRED": "geben Sie den geschätzten Umsatz an, größer als 0",
    "CLOSE_DATE_REQUIRED": "geben Sie das geschätzte Abschlussdatum an",
    "CURRENCY_REQUIRED": "wählen Sie eine Währung mit ISO-Code aus",
    "TEAM_REQUIRED": "weisen Sie die Verkaufschance einem Benutzer zu: Partner Center benötigt ein Teammitglied",
    "TEAM_REQUIRED.incomplete": "beim Besitzer fehlt: {missing}",
    "CONSENT_REQUIRED": "bestätigen Sie, dass der Kunde der Weitergabe der Kontaktdaten zugestimmt hat",
    # what of a change was not taken over
    "DEAL_VALUE_EMPTY": "der Dealwert ist leer oder 0 und wurde nicht gesendet; Partner Center behält seinen Wert",
    "SOLUTION_REQUIRED.kept": "ein Deal benötigt mindestens eine Lösung; Partner Center behält die letzte Liste",
    "CLOSE_DATE_REQUIRED.kept": "das Abschlussdatum ist leer und wurde nicht gesendet",
    "TEAM_REQUIRED.kept": "der Besitzer ist kein Benutzer mit Name, E-Mail und Telefon; Partner Center behält das Team",
    "CONTACT_INCOMPLETE.kept": "kein Kontakt mit Name, E-Mail, Telefon und Einwilligung; Partner Center behält den "
    "letzten",
    "NAME_NOT_UPDATABLE": "Partner Center nimmt für einen Deal keinen neuen Namen an und behält den alten",
    "CUSTOMER_READONLY": "Partner Center nimmt für einen Deal keinen anderen Kunden an",
    "CONTACT_READONLY": "der Deal wurde Microsoft gezeigt; Partner Center behält den bisherigen Kontakt des Kunden",
    "VISIBILITY_IRREVERSIBLE": "ein Deal, den der Vertrieb von Microsoft sieht, lässt sich nicht mehr verbergen; "
    "die Spalte wurde zurückgesetzt",
    "HELP_IRREVERSIBLE": "die von Microsoft erbetene Unterstützung lässt sich nicht mehr ändern; "
    "die Spalte wurde zurückgesetzt",
    "*": "{field} lässt sich nicht mehr ändern",
    "CONFLICT": "{field}: in Partner Center steht {pc}, in Dynamics 365 {crm}; gleichen Sie beide an",
    "CURRENCY_UNKNOWN": "{currency} ist in Dynamics 365 keine aktive Währung; Wert und Währung blieben unverändert",
    "CURRENCY_UNKNOWN.no_rate": "{currency} ist in Dynamics 365 keine aktive Währung, und "
    "CURRENCY_RATES nennt keinen Kurs dafür; "
    "Wert und Währung blieben unverändert",
    "CURRENCY_CONVERTED": "{there} in Partner Center, zum Kurs {rate} sind das {here}",
    "CURRENCY_LOCKED": "Preisliste oder Produkte legen die Währung der Verkaufschance fest; "
    "Wert und Währung blieben unverändert",
    "ACCOUNT_AMBIGUOUS": "{count} Firmen passen zum Kunden; die zuletzt geänderte aktive wurde genommen",
    # which deal it is, and where it stands
    "REFERRAL_UNKNOWN": "Partner Center kennt keinen Deal mit diesem Referral Identifier; "
    "berichtigen oder leeren Sie ihn",
    "REFERRAL_NOT_OURS": "Referral Identifier nennt den Eintrag einer anderen Organisation; "
    "tragen Sie den unseres Deals ein",
    "REFERRAL_ALREADY_LINKED": "der Deal in Referral Identifier gehört zu einer anderen Verkaufschance",
    "RESPOND_BY": "beantworten Sie diesen Deal bis {day}, sonst lässt Partner Center ihn ablaufen",
    "SYNC_DELAYED": "was hier geändert wurde, hat Partner Center seit {since} nicht erreicht; "
    "es wird von selbst erneut versucht",
    "BRAKE_CLOSINGS": "innerhalb einer Stunde wurden ungewöhnlich viele Deals geschlossen; "
    "dieser Abschluss wartet auf einen Administrator",
    "STATUS_UNKNOWN": "Partner Center zeigt den Status {status}/{substatus}; nichts wurde geändert",
    "CONFLICT_TERMINAL": 'der Deal steht in Partner Center auf "{pc}", was sich nicht rückgängig machen lässt; '
    "die Verkaufschance folgt",
    "CONFLICT_TERMINAL.differs": 'der Deal steht in Partner Center auf "{pc}", in Dynamics 365 auf "{crm}"; '
    "in Partner Center lässt sich nichts mehr ändern",
    "DEAL_TERMINAL": "der Deal ist in Partner Center geschlossen und nimmt keine Änderungen mehr an; "
    "legen Sie einen neuen an",
    "PC_ERROR_STATE": "Partner Center hat den Deal mit einem Fehler geschlossen",
    "WON_BEFORE_72H": "weniger als 72 Stunden nach dem Anlegen gewonnen; "
    "möglicherweise kommt der Deal nicht für Incentives in Frage",
    # outcomes
    "shared": "Empfehlung angelegt",
    "shared_with_help": "Empfehlung angelegt, Microsoft um Unterstützung gebeten",
    "help_asked": "Microsoft um Unterstützung gebeten",
    "status_sent": "Status {status}/{substatus}",
    "opportunity_created": "Verkaufschance angelegt",
    "linked": "mit der Empfehlung verknüpft, die diese Verkaufschance nennt",
    "accepted_there": "in Partner Center angenommen",
    "won_there": "In Partner Center gewonnen",
    "lost_there": "In Partner Center verloren",
    "declined_there": "In Partner Center abgelehnt",
    "expired_there": "In Partner Center abgelaufen",
    "error_there": "In Partner Center mit einem Fehler geschlossen",
    "microsoft_status": "Status bei Microsoft {old}>{new}",
    "microsoft_status_first": "Status bei Microsoft (keiner)>{new}",
    "microsoft_identifier": "Microsoft CRM Identifier eingetragen",
    "microsoft_seller": "1 Vertriebsmitarbeiter von Microsoft",
    "microsoft_sellers": "{count} Vertriebsmitarbeiter von Microsoft",
    "reason": "Grund {reason}",
    "partner_status": "ein anderer Partner steht auf {status}/{substatus}",
    "copy": "Kopie einer geteilten Verkaufschance: die Kennungen des anderen Deals wurden entfernt, "
    "Sync wurde auf Nein gesetzt",
    "lead_created": "Lead angelegt",
    "lead_ended": 'Lead in Partner Center auf "{pc}"',
}
WORDS: Mapping[str, str] = {
    "street": "Straße",
    "city": "Ort",
    "first_name": "Vorname",
    "last_name": "Nachname",
    "phone": "Telefon",
    "email": "E-Mail",
    "new": "neu",
    "active": "aktiv",
    "won": "gewonnen",
    "lost": "verloren",
    "declined": "abgelehnt",
    "expired": "abgelaufen",
    "error": "mit Fehler geschlossen",
    "unknown": "unbekannt",
}
BETWEEN = ", "

"""French, with vous. Words follow the French Dynamics 365 (opportunité, compte, contact, propriétaire); columns of the
connector's own are named as they stand on the form.
"""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {
    # what a deal lacks before it can be shared
    "OPPORTUNITY_CLOSED": "l'opportunité est fermée ; seule une opportunité ouverte peut être partagée",
    "HELP_OPTION_UNMAPPED": "l'option {option} de How can Microsoft help? n'a pas d'équivalent dans Partner Center",
    "SOLUTION_REQUIRED": "ajoutez au moins une solution prête pour la co-vente ou une solution Microsoft",
    "TOO_MANY_SOLUTIONS": "{count} solutions ; Partner Center en accepte au plus {most}",
    "CUSTOMER_REQUIRED": "choisissez le compte du client",
    "COUNTRY_MISSING": "le pays du compte « {name} » n'est pas renseigné ; il faut un code ISO à deux lettres",
    "COUNTRY_INVALID": "le pays du compte « {name} » est « {country} » ; il faut un code ISO à deux lettres",
    "COUNTRY_INVALID.perhaps": "le pays du compte « {name} » est « {country} » ; il faut un code ISO à deux lettres, "
    "peut-être {hint}",
    "ADDRESS_INCOMPLETE": "il manque au compte « {name} » : {missing}",
    "CONTACT_REQUIRED": "choisissez un contact chez le client : l'aide de Microsoft a été demandée",
    "CONTACT_INCOMPLETE": "il manque au contact du client : {missing}",
    "DEAL_VALUE_REQUIRED": "indiquez le revenu estimé, supérieur à 0",
    "CLOSE_DATE_REQUIRED": "indiquez la date de fermeture estimée",
    "CURRENCY_REQUIRED": "choisissez une devise qui possède un code ISO",
    "TEAM_REQUIRED": "attribuez l'opportunité à un utilisateur : Partner Center demande un membre d'équipe",
    "TEAM_REQUIRED.incomplete": "il manque au propriétaire : {missing}",
    "CONSENT_REQUIRED": "confirmez que le client a accepté le partage des données du contact",
    # what of a change was not taken over
    "DEAL_VALUE_EMPTY": "la valeur de l'affaire est vide ou égale à 0 et n'a pas été envoyée ; "
    "Partner Center conserve la sienne",
    "SOLUTION_REQUIRED.kept": "une affaire demande au moins une solution ; Partner Center conserve la dernière liste",
    "CLOSE_DATE_REQUIRED.kept": "la date de fermeture est vide et n'a pas été envoyée",
    "TEAM_REQUIRED.kept": "le propriétaire n'est pas un utilisateur avec nom, e-mail et téléphone ; "
    "Partner Center conserve l'équipe",
    "CONTACT_INCOMPLETE.kept": "aucun contact avec nom, e-mail, téléphone et consentement ; "
    "Partner Center conserve le dernier",
    "NAME_NOT_UPDATABLE": "Partner Center n'accepte pas de nouveau nom pour une affaire ; il conserve l'ancien",
    "CUSTOMER_READONLY": "Partner Center n'accepte pas d'autre client pour une affaire",
    "CONTACT_READONLY": "l'affaire a été montrée à Microsoft ; Partner Center conserve le contact actuel du client",
    "VISIBILITY_IRREVERSIBLE": "une affaire visible par les vendeurs de Microsoft ne peut plus être masquée ; "
    "la colonne a été rétablie",
    "HELP_IRREVERSIBLE": "l'aide demandée à Microsoft ne peut plus être modifiée ; la colonne a été rétablie",
    "*": "{field} ne peut plus être modifié",
    "CONFLICT": "{field} : Partner Center indique {pc}, Dynamics 365 indique {crm} ; rendez-les identiques",
    "CURRENCY_UNKNOWN": "{currency} n'est pas une devise active de Dynamics 365 ; valeur et devise restent inchangées",
    "CURRENCY_UNKNOWN.no_rate": "{currency} n'est pas une devise active de Dynamics 365, "
    "et CURRENCY_RATES ne donne pas de taux ; "
    "valeur et devise restent inchangées",
    "CURRENCY_CONVERTED": "{there} dans Partner Center, soit {here} au taux de {rate}",
    "CURRENCY_LOCKED": "le tarif ou les produits de l'opportunité fixent sa devise ; "
    "valeur et devise restent inchangées",
    "ACCOUNT_AMBIGUOUS": "{count} comptes correspondent au client ; le compte actif modifié en dernier a été retenu",
    # which deal it is, and where it stands
    "REFERRAL_UNKNOWN": "Partner Center ne connaît aucune affaire avec ce Referral Identifier ; "
    "corrigez-le ou videz-le",
    "REFERRAL_NOT_OURS": "Referral Identifier désigne l'enregistrement d'une autre organisation ; "
    "indiquez celui de notre affaire",
    "REFERRAL_ALREADY_LINKED": "l'affaire de Referral Identifier appartient à une autre opportunité",
    "RESPOND_BY": "répondez à cette affaire au plus tard le {day}, sinon Partner Center la laissera expirer",
    "SYNC_DELAYED": "ce qui a été modifié ici n'est pas parvenu à Partner Center depuis {since} ; "
    "un nouvel essai se fera de lui-même",
    "BRAKE_CLOSINGS": "un nombre inhabituel d'affaires a été fermé en une heure ; "
    "cette fermeture attend un administrateur",
    "STATUS_UNKNOWN": "Partner Center affiche l'état {status}/{substatus} ; rien n'a été modifié",
    "CONFLICT_TERMINAL": "l'affaire est « {pc} » dans Partner Center, ce qui est irréversible ; l'opportunité suit",
    "CONFLICT_TERMINAL.differs": "l'affaire est « {pc} » dans Partner Center et « {crm} » dans Dynamics 365 ; "
    "Partner Center ne peut plus être modifié",
    "DEAL_TERMINAL": "l'affaire est fermée dans Partner Center et n'accepte plus de modifications ; "
    "créez-en une nouvelle",
    "PC_ERROR_STATE": "Partner Center a fermé l'affaire avec une erreur",
    "WON_BEFORE_72H": "gagnée moins de 72 heures après sa création ; elle pourrait ne pas donner droit aux incitations",
    # outcomes
    "shared": "référence créée",
    "shared_with_help": "référence créée, aide de Microsoft demandée",
    "help_asked": "aide de Microsoft demandée",
    "status_sent": "état {status}/{substatus}",
    "opportunity_created": "opportunité créée",
    "linked": "liée à la référence qui désigne cette opportunité",
    "accepted_there": "acceptée dans Partner Center",
    "won_there": "Gagnée dans Partner Center",
    "lost_there": "Perdue dans Partner Center",
    "declined_there": "Refusée dans Partner Center",
    "expired_there": "Expirée dans Partner Center",
    "error_there": "Fermée avec une erreur dans Partner Center",
    "microsoft_status": "état chez Microsoft {old}>{new}",
    "microsoft_status_first": "état chez Microsoft (aucun)>{new}",
    "microsoft_identifier": "Microsoft CRM Identifier renseigné",
    "microsoft_seller": "1 vendeur de Microsoft",
    "microsoft_sellers": "{count} vendeurs de Microsoft",
    "reason": "motif {reason}",
    "partner_status": "un autre partenaire est à l'état {status}/{substatus}",
    "copy": "copie d'une opportunité partagée : les identifiants de l'autre affaire ont été retirés, "
    "Sync a été mis sur Non",
    "lead_created": "prospect créé",
    "lead_ended": "prospect fermé : affaire « {pc} » dans Partner Center",
}
WORDS: Mapping[str, str] = {
    "street": "rue",
    "city": "ville",
    "first_name": "prénom",
    "last_name": "nom",
    "phone": "téléphone",
    "email": "e-mail",
    "new": "nouvelle",
    "active": "active",
    "won": "gagnée",
    "lost": "perdue",
    "declined": "refusée",
    "expired": "expirée",
    "error": "fermée avec une erreur",
    "unknown": "inconnue",
}
BETWEEN = ", "

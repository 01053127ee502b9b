"""
The words that end texts, bring them back and ask for help, by language.

English is what Twilio heeds by itself on long codes, with the two spellings that United States rules name as well
("opt out", "stop all" written as two words). Of the other languages Twilio heeds none unless Advanced Opt-Out was told
to; they are here because a person who writes one of them means it. Case, accents and hyphens do not matter, see
`keywords`.

Sources:
    https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out,
    https://help.twilio.com/articles/223134027 (English), https://www.twilio.com/docs/proxy/opt-out-keywords (French),
    47 CFR 64.1200(a)(10) (the words that count as a revocation by themselves).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Family(StrEnum):
    """What a keyword asks for; the values are those of Twilio's `OptOutType`."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"


LANGUAGES: Final[Mapping[str, Mapping[Family, tuple[str, ...]]]] = {
    "en": {
        Family.STOP: (
            "STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "OPT OUT",
        ),
        Family.START: ("START", "YES", "UNSTOP"),
        Family.HELP: ("HELP", "INFO"),
    },
    "da": {
        Family.STOP: ("AFMELD", "AFMELDING", "STOPPE", "SLUT"),
        Family.START: ("TILMELD",),
        Family.HELP: ("HJÆLP", "HJAELP"),
    },
    "de": {
        Family.STOP: ("STOPP", "ABMELDEN", "ABBESTELLEN", "ENDE", "BEENDEN", "KÜNDIGEN", "KUENDIGEN", "WIDERRUF"),
        Family.START: ("ANMELDEN", "STARTEN"),
        Family.HELP: ("HILFE",),
    },
    "es": {
        Family.STOP: ("PARAR", "ALTO", "BAJA", "DARME DE BAJA", "CANCELAR", "DETENER", "DESUSCRIBIR", "TERMINAR"),
        Family.START: ("ALTA", "COMENZAR", "INICIAR", "REANUDAR"),
        Family.HELP: ("AYUDA",),
    },
    "fr": {
        Family.STOP: (
            "ARRÊT", "ARRETT", "ARRÊTE", "ARRÊTER", "ARRÊTEZ", "DÉSABONNER", "DÉSABONNEMENT", "DÉSINSCRIRE",
            "DÉSINSCRIPTION", "ANNULER", "FIN",
        ),
        Family.START: ("COMMENCER", "DÉMARRER", "REPRENDRE"),
        Family.HELP: ("AIDE",),
    },
    "it": {
        Family.STOP: ("FERMA", "FERMARE", "BASTA", "ANNULLA", "CANCELLA", "DISISCRIVI", "DISISCRIVIMI", "DISATTIVA"),
        Family.START: ("INIZIA", "ATTIVA", "RIPRENDI"),
        Family.HELP: ("AIUTO",),
    },
    "nb": {
        Family.STOP: ("STOPP", "AVSLUTT", "AVMELD", "MELD AV"),
        Family.START: ("PÅMELD", "MELD PÅ"),
        Family.HELP: ("HJELP",),
    },
    "nl": {
        Family.STOP: ("AFMELDEN", "STOPPEN", "UITSCHRIJVEN", "OPZEGGEN", "EINDE"),
        Family.START: ("AANMELDEN", "STARTEN", "HERVATTEN"),
        Family.HELP: ("HULP",),
    },
    "pl": {
        Family.STOP: ("REZYGNUJĘ", "REZYGNACJA", "WYPISZ", "KONIEC", "ANULUJ"),
        Family.START: ("ZAPISZ", "WZNÓW"),
        Family.HELP: ("POMOC",),
    },
    "pt": {
        Family.STOP: ("PARAR", "PARE", "SAIR", "CANCELAR", "DESCADASTRAR", "REMOVER", "DESINSCREVER"),
        Family.START: ("COMEÇAR", "INICIAR", "RETOMAR"),
        Family.HELP: ("AJUDA",),
    },
    "sv": {
        Family.STOP: ("STOPP", "AVSLUTA", "AVREGISTRERA", "AVANMÄL"),
        Family.START: ("STARTA", "ANMÄL"),
        Family.HELP: ("HJÄLP",),
    },
}  # fmt: skip
"""ISO 639 code → family → words, upper case as people are told to write them."""

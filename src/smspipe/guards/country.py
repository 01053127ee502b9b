"""
Does the destination text to this country, and to this kind of number?

Fraud with texts ("pumping") lives on numbers whose owner earns from each text to them: most lie in countries that one
has no customers in, the rest are premium numbers and satellite phones. What libphonenumber knows of a number costs some
100 µs. So it is asked once an area code in North America, where the area code tells nearly everything, and once a
number elsewhere; a number that was seen before costs a look into a cache.
"""

from functools import lru_cache
from typing import Final

import msgspec
import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType

from smspipe.guards.case import Case, Verdict
from smspipe.model.destination import ANY
from smspipe.model.outcome import Reason, Refusal, Step
from smspipe.model.phone import mask

KINDS: Final = {
    "premium": "a premium rate number",
    "shared_cost": "a shared cost number",
    "satellite": "a number of a satellite or international network",
    "uan": "a company's universal access number",
    "pager": "a pager",
}
"""The kinds of numbers that are texted only where the destination names them."""

_KIND_OF: Final = {
    PhoneNumberType.PREMIUM_RATE: "premium",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.PAGER: "pager",
}
_SATELLITE: Final = frozenset({870, 881, 882, 883})
"""
Inmarsat, the global satellite systems, and the international networks, satellites among them.

Source: https://www.itu.int/pub/T-SP-E.164D (assigned country codes)
"""
_AREA: Final = len("+1201")
_EXCHANGES: Final = ("2345678", "4562345", "5552345", "7892345")
"""Endings that make a valid number of nearly every area code."""


class Numbering(msgspec.Struct, frozen=True, kw_only=True):
    """What the numbering plans say of a number."""

    region: str
    """ISO country, `001` for a number of no country."""
    kind: str | None = None
    """One of `KINDS`, None for any other."""


def check_country(case: Case) -> Verdict:
    """Refuse a number of a country, or of a kind, that the destination does not text to."""
    number = bare(case.message.to)
    if number[:1] != "+":
        return None  # a name on another channel
    found = look_up(number)
    destination = case.destination
    allowed = destination.countries
    if allowed is None:
        allowed = own_country(case.message.sender)
    if found.region not in allowed and ANY not in allowed:
        return Refusal(reason=Reason.COUNTRY_NOT_ALLOWED, saw=_wrong_country(case, found.region, allowed))
    if found.kind is not None and found.kind not in destination.number_types:
        return Refusal(
            reason=Reason.COUNTRY_NOT_ALLOWED,
            saw=f"The number {mask(case.message.to)} is {KINDS[found.kind]}, whose owner may earn from texts to it. "
            f'Name "{found.kind}" in the destination\'s option number_types to text to such numbers.',
        )
    return _passed(found.region)


def bare(address: str) -> str:
    """Take the channel's prefix off an address: `whatsapp:+14155552671` becomes `+14155552671`."""
    return address[address.find(":") + 1 :]


@lru_cache(maxsize=1024)
def own_country(sender: str) -> frozenset[str]:
    """Give the country of a sender's number; any country for a name, a short code or a Messaging Service."""
    number = bare(sender)
    return frozenset({look_up(number).region if number[:1] == "+" else ANY})


def look_up(number: str) -> Numbering:
    """
    Say what the numbering plans know of a number in E.164.

    One that no plan has yet counts to the main country of its country code: plans change faster than any table.
    """
    if number[:2] == "+1":
        found = _north_american(number[:_AREA])
        if found is not None:
            return found
    return _elsewhere(number)


@lru_cache(maxsize=1024)
def _north_american(head: str) -> Numbering | None:
    """Say it of all numbers with an area code of the United States or Canada; None for the islands."""
    area = head[2:]
    for ending in _EXCHANGES if area.isdecimal() and len(area) == len("201") else ():
        number = PhoneNumber(country_code=1, national_number=int(area + ending))
        region = phonenumbers.region_code_for_number(number)
        if region in ("US", "CA"):
            return Numbering(region=region, kind=_KIND_OF.get(phonenumbers.number_type(number)))
        if region is not None:
            return None
    return Numbering(region="US")


@lru_cache(maxsize=16_384)
def _elsewhere(number: str) -> Numbering:
    parsed = phonenumbers.parse(number)
    code = parsed.country_code or 0
    region = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(code)
    kind = "satellite" if code in _SATELLITE else _KIND_OF.get(phonenumbers.number_type(parsed))
    return Numbering(region=region, kind=kind)


def _wrong_country(case: Case, region: str, allowed: frozenset[str]) -> str:
    where = "belongs to no country" if region == "001" else f"is of {region}"
    why = "the country of its sender" if case.destination.countries is None else "the countries that it names"
    return (
        f"The number {mask(case.message.to)} {where}; this destination texts to {', '.join(sorted(allowed))} only, "
        f"{why}. Name more in the option countries to text there."
    )


@lru_cache(maxsize=512)
def _passed(region: str) -> Step:
    return Step(name="country", ok=True, saw=region)

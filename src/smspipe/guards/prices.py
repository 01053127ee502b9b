"""
What a segment costs, roughly: a table until Twilio has said what it charges.

The figures are our own rounding, of July 2026, of what Twilio publishes for sending from its numbers, carrier fees
left out. They are estimates: a budget counts by them only until the price of a text is known, and the prices that were
charged are used for the next texts to the same country. A file takes the table's place (`SMSPIPE_PRICES`).

Source: https://www.twilio.com/en-us/sms/pricing (per country)
"""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from smspipe.model.errors import Invalid

MICROS: Final = 1_000_000
_SHORT_CODE: Final = re.compile(r"\d{3,8}").fullmatch
_TOLL_FREE: Final = re.compile(r"\+1(?:800|833|844|855|866|877|888)\d{7}").fullmatch
_SERVICE: Final = re.compile(r"MG[0-9a-fA-F]{32}").fullmatch
_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 \-+_&]{1,11}").fullmatch

ANY_SENDER: Final = "any"
SENDERS: Final = ("number", "toll_free", "short_code", "name", "service", "channel")
"""The kinds of senders that a price may depend on."""


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of a segment in millionths of a currency, by ISO country and kind of sender (or `any`)."""

    currency: str = "USD"
    as_of: str = ""
    """The date of the figures."""
    note: str = ""
    default: int
    """For countries that are not in the table."""
    countries: Mapping[str, Mapping[str, int]] = {}

    def of(self, country: str, sender: str) -> int:
        """Give the price of a segment to a country from a kind of sender."""
        kinds = self.countries.get(country)
        if kinds is None:
            return self.default
        price = kinds.get(sender)
        return kinds.get(ANY_SENDER, self.default) if price is None else price


def kind_of(sender: str) -> str:
    """Name the kind of a sender, one of `SENDERS`."""
    if ":" in sender:
        return "channel"
    if _SERVICE(sender):
        return "service"
    if _SHORT_CODE(sender):
        return "short_code"
    if _TOLL_FREE(sender):
        return "toll_free"
    return "name" if _NAME(sender) else "number"


def read_prices(given: Any) -> Prices:
    """
    Read a table: `{"currency": "USD", "as_of": …, "default": "0.10", "countries": {"US": {"any": "0.0083"}}}`.

    A country may have one price in place of an object.

    Raises:
        Invalid: it has another shape; `field` says where.
    """
    if not isinstance(given, Mapping):
        raise Invalid("A price table must be an object.", field="prices")
    unknown = [key for key in given if key not in ("currency", "as_of", "note", "default", "countries")]
    if unknown:
        raise Invalid(f"A price table has no key {unknown[0]!r}.", field="prices")
    currency = given.get("currency", "USD")
    if not isinstance(currency, str) or not re.fullmatch("[A-Z]{3}", currency):
        raise Invalid("currency must be three capital letters, such as USD.", field="prices__currency")
    countries = given.get("countries", {})
    if not isinstance(countries, Mapping):
        raise Invalid("countries must be an object of prices by ISO country.", field="prices__countries")
    return Prices(
        currency=currency,
        as_of=str(given.get("as_of", "")),
        note=str(given.get("note", "")),
        default=_price(given.get("default"), "prices__default"),
        countries={country: _country(country, prices) for country, prices in countries.items()},
    )


def _country(country: Any, prices: Any) -> Mapping[str, int]:
    field = f"prices__countries__{country}"
    if not isinstance(country, str) or not re.fullmatch("[A-Z]{2}|001", country):
        raise Invalid(f"{country!r} is no ISO country of two capital letters.", field=field)
    if not isinstance(prices, Mapping):
        return {ANY_SENDER: _price(prices, field)}
    for kind in prices:
        if kind not in (ANY_SENDER, *SENDERS):
            raise Invalid(f"There is no kind of sender {kind!r}; there are any, {', '.join(SENDERS)}.", field=field)
    return {kind: _price(price, f"{field}__{kind}") for kind, price in prices.items()}


def _price(given: Any, field: str) -> int:
    micros = to_micros(given)
    if micros is None:
        raise Invalid("A price must be a decimal number from 0 to 1000, such as 0.0083.", field=field)
    return micros


def to_micros(given: Any, most: int = 1000) -> int | None:
    """Read an amount of money, as a number or as text, in millionths; None when it is none."""
    if isinstance(given, bool) or not isinstance(given, str | int | float | Decimal):
        return None
    try:
        amount = Decimal(str(given))
    except InvalidOperation:
        return None
    return int((amount * MICROS).to_integral_value()) if amount.is_finite() and 0 <= amount <= most else None


ESTIMATE: Final = read_prices(
    {
        "currency": "USD",
        "as_of": "2026-07-01",
        "note": "A rough estimate; carrier fees are not in it.",
        "default": "0.10",
        "countries": {
            "AT": "0.11", "AU": "0.052", "BE": "0.11", "BR": "0.065", "CA": {"any": "0.0083", "toll_free": "0.0083"},
            "CH": "0.08", "DE": "0.12", "DK": "0.05", "ES": "0.09", "FI": "0.09", "FR": "0.08", "GB": "0.055",
            "IE": "0.09", "IL": "0.26", "IN": "0.09", "IT": "0.10", "JP": "0.09", "MX": "0.07", "NL": "0.11",
            "NO": "0.08", "NZ": "0.11", "PL": "0.05", "PT": "0.05", "SE": "0.06", "SG": "0.06",
            "US": {"any": "0.0083", "toll_free": "0.0083", "short_code": "0.0083"}, "ZA": "0.12",
        },
    }
)  # fmt: skip

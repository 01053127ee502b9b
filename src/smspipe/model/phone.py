"""Phone numbers as values: E.164 text, and the mask under which alone they may be written down in logs."""

from typing import NewType

E164 = NewType("E164", str)
"""`+`, then 7 to 15 digits, the first of them not 0; before them the channel's prefix where it is not SMS."""


def mask(number: str) -> str:
    """
    Hide a number but for its country's beginning and its last two digits: `+15005550009` becomes `+15•••••••09`.

    Anything too short to keep a secret that way is hidden whole. The prefix of a channel (`whatsapp:`) is none.
    """
    if ":" in number:
        channel, _, address = number.partition(":")
        return f"{channel}:{mask(address)}" if channel.isalpha() else "•" * len(number)
    if len(number) < 8:
        return "•" * len(number)
    return number[:3] + "•" * (len(number) - 5) + number[-2:]

"""Is the number trusted, where the destination texts trusted numbers only?"""

from functools import lru_cache
from typing import Final

from smspipe.guards.case import Case, Verdict
from smspipe.model.outcome import Reason, Refusal, Step
from smspipe.model.phone import mask
from smspipe.model.trust import Recipients, Trust, Voucher

_SAW: Final = {
    None: "Claimed, not trusted.",
    Voucher.DESTINATION: "Trusted: it stands in the destination.",
    Voucher.SECRET_KEY: "Trusted: the event came with the secret key.",
    Voucher.HOOK: "Trusted: the event came by the hook.",
}


def check_trust(case: Case) -> Verdict:
    """Refuse a number that nobody vouches for, where the destination wants one who does."""
    if case.trust.by is None and case.destination.recipients is Recipients.TRUSTED:
        return Refusal(
            reason=Reason.UNTRUSTED_RECIPIENT,
            saw=f"The number {mask(case.message.to)} is only claimed: the event came without the secret key, and no "
            "property of the person that was set with that key has this number. Send the event, or a $set of the "
            "number, with Authorization: Bearer and the API key; or let the destination's option recipients be "
            '"claimed".',
        )
    return _passed(case.trust)


@lru_cache(maxsize=256)
def _passed(trust: Trust) -> Step:
    saw = f"Trusted: it is the person's {trust.property}." if trust.by is Voucher.PERSON else _SAW[trust.by]
    return Step(name="trust", ok=True, saw=saw)

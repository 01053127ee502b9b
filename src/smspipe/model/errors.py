"""
Faults: what went wrong, sorted by what the caller can do about it.

    Fault
    + Invalid       the caller broke a rule; the message says which, and what would be right
    + Temporary     the same call may succeed later, no sooner than retry_after
    + Permanent     the same call never will
    + Unconfirmed   the answer was lost; it may have been done, so it is never just repeated

An expected "no" is not a fault but a value with a Reason (see `outcome`).
No message of a fault carries a secret, a phone number or the text of a message.
"""

from datetime import timedelta


class Fault(Exception):
    """Anything that went wrong and was understood. `str()` of it is one sentence for a person."""


class Invalid(Fault):
    """
    The caller broke a rule.

    `field` names the place inside what was given, parts joined with two underscores
    (`inputs__smsBody`), or None when the whole of it is meant. `position` is the offset
    (code points, from 0) of the mistake inside a source text such as a template, `excerpt` the
    line of it with the mistake and below it a caret (two lines for a font of even width), and
    `hint` one sentence that says what would be right.
    """

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        position: int | None = None,
        hint: str | None = None,
        excerpt: str | None = None,
    ) -> None:
        super().__init__(message)
        self.field = field
        self.position = position
        self.hint = hint
        self.excerpt = excerpt


class Temporary(Fault):
    """The same call may succeed later; `retry_after` is the least time to wait, None when nobody knows."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Permanent(Fault):
    """The same call will never succeed; `code` is the provider's number for it, where there is one."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class Unconfirmed(Fault):
    """The request has left and its answer was lost: it may have been done, so it must not be repeated."""

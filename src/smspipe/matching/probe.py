"""What operators are compiled to: a question about one property's value, and the words that tell of it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

from smspipe.model.filter import Mode

Probe: TypeAlias = Callable[[Any, datetime], bool]
"""Answers the question for a property's value (None when missing), given what time it is."""
Built: TypeAlias = tuple[Probe, str, str]
"""A probe, and for sentences what follows "which" when it answers no, and what follows "must"."""
Builder: TypeAlias = Callable[[Any, Mode, str], Built]
"""Compiles an operator's whole value; the text is the value's place, for messages."""
SingleBuilder: TypeAlias = Callable[[Any, Mode, str], Probe]
"""Compiles one of an operator's values."""

"""A cooldown window as it stands: who was let through, and whether the next one may be."""

from datetime import datetime

import msgspec

from smspipe.model.ids import DeliveryId


class Window(msgspec.Struct, kw_only=True):
    """One window, as the group of events that is being decided sees it."""

    ends_at: datetime
    entered: int = 0
    owner: DeliveryId | None = None
    vacant: bool = False

    def admits(self, threshold: int | None) -> bool:
        """Would the next event be let through? The first is, each `threshold`-th after it, one into a free place."""
        return self.vacant or self.entered == 0 or (threshold is not None and self.entered % threshold == 0)

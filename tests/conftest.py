"""What all tests share."""

import os

from hypothesis import settings

# Examples are drawn anew in each run on a developer's machine, and are always the same ones where a failure must not
# depend on the day. No deadline: a busy machine is no bug. The blob repeats a failure with `@reproduce_failure`.
settings.register_profile("developer", deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("developer"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")

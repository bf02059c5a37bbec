"""Parts of shopsight as programs of their own, for the comparisons that are about a part."""

import shopsight.cli  # noqa: F401 - it sets the allocators, as for a run

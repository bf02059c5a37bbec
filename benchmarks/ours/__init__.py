"""Parts of shopsight as programs of their own, for the comparisons that are about a part."""

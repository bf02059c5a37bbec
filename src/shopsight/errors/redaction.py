"""Credentials and e-mail addresses are removed from texts before anybody reads them."""

from __future__ import annotations

import re

# Credentials as drivers, libpq, URLs, environments and dumped dictionaries spell them. Where a spelling is
# ambiguous (a raw @, / or blank in a password), it hides too much rather than too little. It leaves alone
# what is hidden already, so that a line of JSON stays one when it is redacted twice.
_NAME = (
    r"(?:[\w-]{0,60}(?:password|passwd|passphrase|pwd|secret|api[_-]?key|(?:session|access|auth)[_-]?token))"
)
# A bare value ends at a blank, or at the quote that ends what it is part of.
_BARE = r"""(?:[^\s&'"]|['"](?![,\s}\])]|$))"""
_SCHEME = r"\b(?!sqlite:|file:)[a-zA-Z][\w+.-]{0,30}"
_QUOTED = r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*\""""
_CREDENTIALS = (
    # user:password@ of a URL, to the last @ of the word.
    (re.compile(rf"(?P<before>{_SCHEME}://)(?!\*\*\*@)\S{{1,500}}@"), r"\g<before>***@"),
    # The same with a blank in the password; digits alone would be a port.
    (
        re.compile(rf"(?P<before>{_SCHEME}://)[^\s:/@]+:(?!\d+(?:[/,?\s]|$))[^@\n]{{1,200}}@"),
        r"\g<before>***@",
    ),
    # A URL that is itself part of a URL.
    (re.compile(r"(?i)(?P<before>\b[a-z][\w+.-]{0,30}%3A%2F%2F)(?!\*\*\*)\S{1,500}%40"), r"\g<before>***%40"),
    # All that follows the path of an sqlite:// URL: options of other drivers, a key among them.
    (re.compile(r"(?i)(?P<before>\bsqlite://[^\s?'\"]{0,4096}\?)(?!\*\*\*)[^\s'\"]+"), r"\g<before>***"),
    # ?password=… of a URL.
    (re.compile(rf"(?i)(?P<before>[?&]{_NAME}=)(?!\*\*\*){_BARE}+"), r"\g<before>***"),
    # password = …, password='…' of a connection string, PGPASSWORD=…, --password=…
    (
        re.compile(
            rf"(?i)(?P<before>(?<![?&\w-]){_NAME}(?:\s*=\s*|%3D))(?!\*\*\*)(?:{_QUOTED}|(?:{_BARE}|&)+)"
        ),
        r"\g<before>***",
    ),
    (re.compile(r"(?P<before>--password\s+)(?!\*\*\*)\S+"), r"\g<before>***"),
    # 'password': '…' of a dumped dictionary or JSON.
    (
        re.compile(rf"(?i)(?P<before>(?P<quote>['\"]){_NAME}(?P=quote)\s*:\s*)(?:{_QUOTED})"),
        r"\g<before>\g<quote>***\g<quote>",
    ),
    # sc://host/;token=… of Spark Connect.
    (re.compile(r"(?i)(?P<before>;token=)(?!\*\*\*)[^;\s'\"]+"), r"\g<before>***"),
    # A person's address, as a database quotes a value that it cannot read.
    (
        re.compile(r"(?<![\w.+/:%@*-])[\w.+-]+(?P<before>@[\w-]+(?:\.[\w-]+)+)"),
        r"***\g<before>",
    ),
    # An incoming webhook's path is its password.
    (re.compile(r"(?i)(?P<before>https://hooks\.slack\.com/)(?!\*\*\*)[^\s'\"]+"), r"\g<before>***"),
)


def redact(text: str) -> str:
    """The text with every credential in it replaced by ``***``, and the host left readable.

    >>> redact("cannot reach postgresql://ann:s3cret@db/shop?password=s3cret")
    'cannot reach postgresql://***@db/shop?password=***'
    >>> redact("connection 'host=db user=ann password=s3cret' failed")
    "connection 'host=db user=ann password=***' failed"
    """
    for pattern, replacement in _CREDENTIALS:
        text = pattern.sub(replacement, text)
    return text

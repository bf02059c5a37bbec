"""A connection to the shop in MariaDB."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql

MARIADB_URL = os.environ.get("BENCH_MARIADB_URL", "")


def connect(**options: Any) -> Any:
    url = urlsplit(MARIADB_URL)
    return pymysql.connect(
        user=url.username,
        password=unquote(url.password or ""),
        database=url.path.strip("/"),
        unix_socket=parse_qs(url.query)["unix_socket"][0],
        **options,
    )

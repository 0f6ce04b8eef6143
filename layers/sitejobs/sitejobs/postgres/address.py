"""A database's address as people have it, turned into what libpq takes.

A site's `.env` has one for Prisma, node-postgres, JDBC, SQLAlchemy or .NET. Their words are put into libpq's; what
means nothing here is left out, with a note; anything else is refused before a connection is made. Messages hold the
names of parameters and no other part of the address, so no password.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sitejobs.errors import InvalidInput
from sitejobs.postgres import parameters
from sitejobs.postgres.address_forms import (
    ESCAPES,
    EXAMPLE,
    as_uri,
    pairs_of_keywords,
    pairs_of_semicolons,
    pairs_of_uri,
)
from sitejobs.postgres.parameters import plain
from sitejobs.postgres.search_path import path_of
from sitejobs.postgres.shared_session import schemas_of

VARIABLE: Final = "DATABASE_URL"
_SCHEME: Final = re.compile(r"(?:(?:jdbc|r2dbc):(?:[a-z-]+:)?)?([a-z][a-z0-9+._-]{0,40})://", re.IGNORECASE)
_QUOTED: Final = re.compile(r"""(?P<quote>['"])(.*)(?P=quote)""", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\[\]-]{0,40}")
_OF_OPTIONS: Final = re.compile(r"(?:^|\s)(?:-c\s*|--)search_path=((?:\\.|\S)+)")


@dataclass(frozen=True)
class Address:
    """A database's address.

    Attributes
    ----------
    conninfo : as libpq takes it; an address without anything of other drivers stays as it was.
    search_path : schemas that the address names, comma separated, the bundle's before them; None if it names none.
    notes : what was taken otherwise than it stands, or left out. They name parameters only.
    """

    conninfo: str = field(repr=False)
    search_path: str | None = None
    notes: tuple[str, ...] = ()


def read_address(text: str, variable: str = VARIABLE) -> Address:
    """Turn an address into libpq's words; one that was turned already stays as it is.

    Parameters
    ----------
    variable : where the address was given, for messages.

    Raises
    ------
    InvalidInput : names what cannot be taken and what to write; nothing was connected to.
    """
    bare = _bare(text)
    scheme = _SCHEME.match(bare)
    if scheme is None:
        reading = _Reading(variable, names_shown=False)
        forms = pairs_of_semicolons if ";" in bare and not _parts(bare) else pairs_of_keywords
        reading.take(forms(bare, reading.refuse))
        return reading.address(bare, lambda given: make_conninfo("", **given))
    _check_scheme(scheme[1].lower(), variable)
    rest = bare[scheme.end() :]
    reading = _Reading(variable, names_shown="@" not in rest.partition("?")[2])
    reading.take(pairs_of_uri(rest, reading.refuse))
    return reading.address(bare, as_uri)


class _Reading:
    """What has been read of an address."""

    def __init__(self, variable: str, *, names_shown: bool) -> None:
        self._variable = variable
        self._names_shown = names_shown
        self._given: dict[str, str] = {}
        self._schemas: list[str] = []
        self._ignored: list[str] = []
        self._notes: list[str] = []
        self._of_prisma = False
        self._strict = False

    def refuse(self, problem: str) -> NoReturn:
        raise InvalidInput(f"{self._variable} {problem}")

    def take(self, pairs: Iterable[tuple[str, str]]) -> None:
        for name, value in pairs:
            self._take(name, plain(name), value.strip() if plain(name) != "password" else value)
        self._read_authority()
        self._check()

    def _take(self, name: str, key: str, value: str) -> None:
        self._of_prisma |= key in parameters.OF_PRISMA
        if key in parameters.SEARCH_PATH:
            self._schemas += _listed(value) if key == "schema" else schemas_of(value)
        elif key in ("ssl", "sslaccept"):
            self._take_ssl(name, key, value)
        elif key == "targetservertype":
            self._given["target_session_attrs"] = parameters.OF_JDBC.get(plain(value), "standby")
        elif key in parameters.REFUSED:
            self.refuse(f"has {name}: {parameters.REFUSED[key]}")
        elif key in parameters.LIBPQ:
            self._take_libpq(name, parameters.LIBPQ[key], value)
        elif key in parameters.IGNORED:
            self._ignored.append(name)
        elif key not in parameters.UNDERSTOOD:
            self._refuse_unknown(name, key)

    def _refuse_unknown(self, name: str, key: str) -> NoReturn:
        if not self._names_shown or not _NAME.fullmatch(name):
            self.refuse(f"is no PostgreSQL address: it looks like {EXAMPLE}; {ESCAPES}")
        import difflib

        near = difflib.get_close_matches(key, [*parameters.LIBPQ, *parameters.IGNORED, "schema"], 1, 0.75)
        hint = f" (did you mean {parameters.LIBPQ.get(near[0], near[0])}?)" if near else ""
        self.refuse(f"has a parameter that neither PostgreSQL nor a known driver has: {name}{hint}")

    def _take_libpq(self, name: str, keyword: str, value: str) -> None:
        same = parameters.SAME_VALUES.get(keyword, {}).get(plain(value), value)
        if keyword == "sslmode" and plain(value) in parameters.NOT_CHECKED:
            same = self._unchecked(f"{name}=no-verify")
        if keyword in parameters.VALUES:
            same = same.lower()
            if same and same not in parameters.VALUES[keyword]:
                allowed = ", ".join(parameters.VALUES[keyword])
                self.refuse(f"has a value of {keyword} that is none: it is one of {allowed}")
        if keyword in parameters.WHOLE_NUMBERS and not re.fullmatch(r"-?\d{0,9}", same):
            self.refuse(f"has a value of {keyword} that is no whole number")
        if keyword == "options" and (found := _OF_OPTIONS.findall(same)):
            self._schemas = schemas_of(re.sub(r"\\(.)", r"\1", found[-1]))
        self._given[keyword] = same

    def _take_ssl(self, name: str, key: str, value: str) -> None:
        """`ssl` of node-postgres, JDBC and asyncpg, Prisma's `sslaccept`; sslmode beside them takes precedence."""
        if key == "sslaccept" and plain(value) == "strict":
            self._strict = True
            return
        if plain(value) in parameters.NOT_CHECKED or re.search(r'"?rejectUnauthorized"?\s*:\s*false', value):
            mode = self._unchecked(f"{name}={'no-verify' if key == 'ssl' else 'accept_invalid_certs'}")
        else:
            mode = parameters.SAME_VALUES["sslmode"].get(plain(value), value.lower())
            if mode not in parameters.VALUES["sslmode"]:
                self.refuse(f"has a value of {name} that is none: write sslmode=require, or sslmode=verify-full")
            if mode == "require":
                self._unchecked(f"{name}={value}")
        self._given.setdefault("sslmode", mode)

    def _unchecked(self, words: str) -> str:
        self._notes.append(
            f"{words} is taken as sslmode=require: encrypted, but the server's certificate is not checked;"
            " sslmode=verify-full with sslrootcert checks it"
        )
        return "require"

    def _read_authority(self) -> None:
        """Where Prisma has the authority's file; node-postgres and Prisma trust the system's where there is none."""
        if self._of_prisma and "sslcert" in self._given and "sslkey" not in self._given:
            self._given.setdefault("sslrootcert", self._given.pop("sslcert"))
            self._notes.append("sslcert without sslkey is taken as Prisma means it: the authority's file, sslrootcert")
        if self._strict:
            self._given["sslmode"] = "verify-full"
        root = self._given.get("sslrootcert")
        mode = self._given.setdefault("sslmode", "verify-full") if root == "system" else self._given.get("sslmode")
        if mode == "verify-full" and (root == "system" or not (root or _has_authorities())):
            self._given["sslrootcert"] = _authorities_of_the_system()
        for keyword in parameters.FILES:
            path = self._given.get(keyword)
            if path and (keyword, path) != ("sslrootcert", "system") and not Path(path).is_absolute():
                self._given[keyword] = self._file(keyword, str(Path(path).expanduser()))

    def _file(self, keyword: str, path: str) -> str:
        """Relative paths are the working folder's, for Prisma those of the folder of its schema."""
        folders = (Path.cwd(), Path.cwd() / "prisma")
        found = next((folder / path for folder in folders if (folder / path).is_file()), None)
        if found is None:
            self.refuse(
                f"has {keyword} with a file that is not there (neither in {folders[0]} nor in its folder prisma)"
            )
        return str(found.resolve())

    def _check(self) -> None:
        ports = self._given.get("port", "")
        if any(port and not (port.isdecimal() and 0 < int(port) < 65536) for port in ports.split(",")):
            self.refuse(f"has a port that is no number from 1 to 65535: {ESCAPES}")
        hosts = self._given.get("host") or self._given.get("hostaddr")  # neither: PGHOST may name several
        if hosts and ports.count(",") not in (0, hosts.count(",")):
            self.refuse("names another number of ports than of hosts: write host1:port1,host2:port2")

    def address(self, text: str, write: Callable[[Mapping[str, str]], str]) -> Address:
        given = {name: value for name, value in self._given.items() if value}
        notes = [f"{self._variable}: {note}" for note in self._notes]
        if self._ignored:
            notes.append(
                f"{self._variable}: settings of other drivers, without effect here: {', '.join(self._ignored)}"
            )
        search_path = path_of(self._schemas) if self._schemas else None
        return Address(text if _parts(text) == given else write(given), search_path, tuple(notes))


def _bare(text: str) -> str:
    """Without the quotes of an `.env` file and what surrounds them."""
    bare = text.strip()
    quoted = _QUOTED.fullmatch(bare)
    return quoted[2].strip() if quoted else bare


def _parts(conninfo: str) -> dict[str, str] | None:
    try:
        return {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if value}
    except psycopg.ProgrammingError:  # its message may quote the password
        return None


def _listed(value: str) -> list[str]:
    return [name.strip().strip('"') for name in value.split(",") if name.strip()]


def _has_authorities() -> bool:
    """Whether libpq finds a file of authorities by itself."""
    return bool(os.environ.get("PGSSLROOTCERT")) or (Path.home() / ".postgresql" / "root.crt").exists()


def _authorities_of_the_system() -> str:
    """Their file. libpq's own "system" looks into a folder that psycopg's wheels do not have."""
    import ssl

    paths = ssl.get_default_verify_paths()
    return next((path for path in (paths.cafile, paths.openssl_cafile) if path and Path(path).is_file()), "system")


def _check_scheme(scheme: str, variable: str) -> None:
    if scheme.partition("+")[0] in parameters.SCHEMES:
        return
    if scheme.partition("+")[0] == "prisma":
        raise InvalidInput(
            f"{variable} is the address of Prisma's own service ({scheme}://), which does not speak PostgreSQL:"
            " give the database's own address, as in DIRECT_URL"
        )
    if scheme in ("http", "https"):
        raise InvalidInput(f"{variable} is the address of a web page or an API; a database's looks like {EXAMPLE}")
    raise InvalidInput(f"{variable} begins with {scheme}://, and the jobs need a PostgreSQL: {EXAMPLE}")

"""The forms of a database's address, taken apart into parameters: `postgresql://...`, `host=... dbname=...`, .NET's."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NoReturn
from urllib.parse import quote, unquote

from sitejobs.postgres.parameters import plain

EXAMPLE: Final = "postgresql://user:password@host:5432/name"
ESCAPES: Final = "in a password @ is written %40, : %3A, / %2F, ? %3F, # %23 and % %25"

_NO_ESCAPE: Final = re.compile(r"%(?![0-9a-fA-F]{2})")
_HOST: Final = re.compile(r"[^\s@,:?#&=\[\]<>\"'\\^`{|}]*|/.*", re.DOTALL)
_PLACEHOLDER: Final = re.compile(r"\[[A-Z _-]*PASSWORD[A-Z _-]*\]")
_KEYWORD: Final = re.compile(r"\s*([^\s=']+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\']|\\.)*))(?=\s|$)", re.DOTALL)

Pairs = Iterator[tuple[str, str]]
Refuse = Callable[[str], NoReturn]
"""Raises an error about the address, which is its subject."""


def pairs_of_keywords(text: str, refuse: Refuse) -> Pairs:
    at = 0
    while text[at:].strip():
        found = _KEYWORD.match(text, at)
        if found is None:
            refuse(f"is no PostgreSQL address; it looks like {EXAMPLE}")
        yield found[1], re.sub(r"\\(.)", r"\1", found[2] if found[2] is not None else found[3], flags=re.DOTALL)
        at = found.end()


def pairs_of_semicolons(text: str, refuse: Refuse) -> Pairs:
    """.NET's form, `Host=db;Username=site;Password=...`; a value may stand in quotes."""
    for found in filter(str.strip, re.findall(r"""(?:[^;"']|"[^"]*"|'[^']*')+""", text)):
        name, equals, value = found.partition("=")
        if not equals:
            refuse(f"is no PostgreSQL address; it looks like {EXAMPLE}")
        value = value.strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        yield name.strip(), value[1:-1] if quoted else value


def pairs_of_uri(rest: str, refuse: Refuse) -> Pairs:
    login, place, name, query = _split(rest, refuse)
    user, _, password = login.partition(":")
    if _PLACEHOLDER.fullmatch(password):
        refuse("still has the placeholder of its password: put the password in its place, without brackets")
    yield "user", _decoded(user, "user", refuse)
    yield "password", _decoded(password, "password", refuse)
    yield from hosts_of(place, refuse)
    yield "dbname", _decoded(name.rstrip("/"), "database's name", refuse)
    hosts = []
    for part in filter(None, query.split("&")):
        key, _, value = part.partition("=")
        key = _decoded(key, "parameters", refuse)
        if plain(key) == "host":
            hosts.append(_decoded(value, "host", refuse))
        else:
            yield key, _decoded(value, "parameters", refuse)
    if hosts:
        yield from _hosts_of_query(hosts, refuse)


def _split(rest: str, refuse: Refuse) -> tuple[str, str, str, str]:
    """Login, hosts, database's name and parameters. The login ends at the last @ before a slash, as in a browser."""
    authority, slash, after = rest.partition("/")
    login, at, place = authority.rpartition("@")
    if at and "?" in login.partition(":")[0]:  # an @ in a parameter, of an address without a login
        login, at, place = "", "", authority
    if "?" in place:
        place, _, query = (place + slash + after).partition("?")
        name = ""
    else:
        name, _, query = after.partition("?")
    if "@" in place + name or (not at and ":" in place and "@" in query):
        refuse(f"has a character that must be escaped: {ESCAPES}")
    return login, place, name, query


def hosts_of(place: str, refuse: Refuse) -> Pairs:
    """`h1:5432,h2:5433,[::1]`, as libpq's two lists."""
    hosts, ports = [], []
    for part in place.split(","):
        bracketed = re.fullmatch(r"\[([^\[\]]*)\](?::(.*))?", part)
        if bracketed is None and part.count(":") > 1:
            refuse(f"has an IPv6 address without brackets, or a password to escape: [::1]:5432; {ESCAPES}")
        host, _, port = (bracketed[1], "", bracketed[2] or "") if bracketed else part.partition(":")
        host = _decoded(host, "host", refuse)
        if not _HOST.fullmatch(host) and not bracketed:
            refuse(f"has a host with a character that no host has: {ESCAPES}")
        hosts.append(host)
        ports.append(port)
    yield "host", ",".join(hosts).strip(",") if not any(hosts) else ",".join(hosts)
    yield "port", ",".join(ports) if any(ports) else ""


def _hosts_of_query(hosts: list[str], refuse: Refuse) -> Pairs:
    """SQLAlchemy repeats `host=h1:5432`; a socket's folder stands as it is."""
    found = dict(hosts_of(",".join(hosts), refuse)) if not hosts[0].startswith("/") else {"host": hosts[-1], "port": ""}
    yield "host", found["host"]
    if found["port"] or "," in found["host"]:
        yield "port", found["port"]


def _decoded(text: str, what: str, refuse: Refuse) -> str:
    if _NO_ESCAPE.search(text):
        refuse(f"has a % in its {what} that begins no escape: {ESCAPES}")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        refuse(f"has an escape in its {what} that is not UTF-8: {ESCAPES}")
    if "\0" in decoded:
        refuse(f"has the character NUL in its {what}")
    return decoded


def as_uri(given: Mapping[str, str]) -> str:
    """The parameters as a URI, which psql, pg_dump and people read."""
    rest = dict(given)
    user, password = (quote(rest.pop(name, ""), safe="") for name in ("user", "password"))
    login = user + (f":{password}" if password else "")
    place = ""
    if "host" in rest and not rest["host"].startswith("/"):
        hosts = [f"[{host}]" if ":" in host else quote(host, safe="") for host in rest.pop("host").split(",")]
        ports = rest.pop("port", "").split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        place = ",".join(host + (f":{port}" if port else "") for host, port in zip(hosts, ports, strict=True))
    name = quote(rest.pop("dbname", ""), safe="")
    query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in rest.items())
    return f"postgresql://{login}{'@' if login else ''}{place}/{name}{'?' if query else ''}{query}"

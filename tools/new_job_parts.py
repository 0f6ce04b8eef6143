"""The texts of a new job that tools/new_job.py makes."""

from dataclasses import dataclass
from typing import Final

CONTRACT_IMPORT: Final = "from sitejobs.schema.site import"


@dataclass(frozen=True)
class NewJob:
    """A job to be made: its name, its group in the catalog and the package of the group."""

    name: str
    group: str
    package: str

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def constant(self) -> str:
        return self.module.upper()

    @property
    def camel(self) -> str:
        """The name of its table, its options and its resources in the template."""
        return "".join(word.capitalize() for word in self.name.split("-"))

    @property
    def folder(self) -> str:
        return f"layers/sitejobs/sitejobs/{self.package}"

    @property
    def summary(self) -> str:
        return "how many interests each user has"


def filled(text: str, job: NewJob) -> str:
    """A text of this module with the job's names in the places of «NAME», «MODULE» and so on."""
    values = {
        "«NAME»": job.name,
        "«MODULE»": job.module,
        "«CONSTANT»": job.constant,
        "«TABLE»": job.camel,
        "«PACKAGE»": job.package,
        "«GROUP»": job.group,
        "«SUMMARY»": job.summary,
    }
    for word, value in values.items():
        text = text.replace(word, value)
    return text


OPTIONS = '''

class «TABLE»Options(PagedOptions):
    """«NAME»: «SUMMARY»."""

    user_id: OptionalUserId = Field(default=None, description="this user only; everyone when left out")
    batch_size: Whole = Field(default=1000, ge=1, le=10_000, description="users in one transaction")


«CONSTANT»: Final = JobEntry("«NAME»", "«GROUP»", "«SUMMARY»", «TABLE»Options)
'''

MODULE = '''"""«NAME»: «SUMMARY»."""

from typing import LiteralString

from psycopg import Connection

from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import COUNT_USERS, KeyedJob, Keys, Parameters, users_and
from sitejobs.jobs.losses import lost
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.«PACKAGE».options import «CONSTANT»


def _computed(users: LiteralString) -> LiteralString:
    """SQL of the rows that should be stored; `users` is the condition after the user's id."""
    return f"""
    SELECT u."id"::bigint AS "userId", (
        SELECT count(DISTINCT i."interestId") FROM "UserInterest" i WHERE i."userId" = u."id"
    ) AS "total"
    FROM "User" u WHERE u."id" {users} AND u."deletedAt" IS NULL
    """


_STALE: LiteralString = f"""
SELECT "userId" FROM ({_computed("BETWEEN %(first)s AND %(last)s")}) AS c
FULL JOIN (
    SELECT "userId", "total" FROM "«TABLE»" WHERE "userId" BETWEEN %(first)s AND %(last)s
) AS s USING ("userId")
WHERE c."total" IS DISTINCT FROM s."total"
ORDER BY "userId"
"""

_REFRESH: LiteralString = f"""
WITH computed AS MATERIALIZED ({_computed("= ANY(%(keys)s::bigint[])")}), written AS (
    INSERT INTO "«TABLE»" AS s ("userId", "total", "updatedAt")
    SELECT "userId", "total", %(now)s FROM computed ORDER BY "userId"
    ON CONFLICT ("userId") DO UPDATE SET "total" = excluded."total", "updatedAt" = excluded."updatedAt"
    WHERE s."total" IS DISTINCT FROM excluded."total"
    RETURNING 1
), gone AS (
    DELETE FROM "«TABLE»" s
    WHERE s."userId" = ANY(%(keys)s::bigint[]) AND NOT EXISTS (
        SELECT FROM computed c WHERE c."userId" = s."userId")
    RETURNING 1
)
SELECT (SELECT count(*) FROM written) + (SELECT count(*) FROM gone)
"""


def refresh(connection: Connection, users: list[int], values: Parameters) -> PageSummary:
    """Bring the users' rows up to date, in one statement; only rows that change are written."""
    row = connection.execute(_REFRESH, {**values, "keys": users}).fetchone()
    assert row is not None  # counts are always one row
    summary = PageSummary(processed=len(users), written=int(row[0]))
    summary.skip(SkipReason.UNCHANGED, len(users) - summary.written)
    return summary


KEYS = Keys(
    known=users_and('"«TABLE»"'),
    stale=_STALE,
    count=COUNT_USERS,
    losses=(lost("«TABLE»", 'SELECT FROM "User" u WHERE u."id" = s."userId" AND u."deletedAt" IS NULL'),),
)

JOB = KeyedJob(«CONSTANT», KEYS, refresh)
'''

FUNCTION = '''"""«NAME»: «SUMMARY»."""

from sitejobs.handlers.paged import job_handler
from sitejobs.«PACKAGE».«MODULE» import JOB

handler = job_handler(JOB)
'''

EVENT = """{
  "run": {
    "id": "1",
    "job": "«NAME»",
    "startedAt": "2026-01-15T03:00:00+00:00",
    "options": { "userId": 8 },
    "context": { "parameters": {} }
  },
  "page": { "page": 1, "first": "8", "last": "8", "keys": 1 }
}
"""

INPUT = """{
  "incremental": true,
  "batchSize": 1000
}
"""

TABLE = """    Table(
        "«TABLE»",
        jobs=(«CONSTANT»,),
        columns=_columns("userId bigint; total bigint; updatedAt timestamp with time zone"),
        indexes=(Index(("userId",), unique=True),),
        owned=True,
    ),
"""

MIGRATION = """-- «NAME»: «SUMMARY»; one row a user that is not deleted.
-- No foreign key: "User" may be a view in the site's own schema.
CREATE TABLE IF NOT EXISTS "«TABLE»" (
    "userId"    bigint      PRIMARY KEY,
    "total"     bigint      NOT NULL,
    "updatedAt" timestamptz NOT NULL DEFAULT now() -- start of the run that last changed the row
);
"""

PAGE = """# «NAME»

```bash
sitejobs «NAME»
sitejobs «NAME» --userId=8
sitejobs «NAME» --incremental
```

«NAME» counts the interests of each user. An incremental run writes only the rows whose count has changed, and removes
those of users who have gone.

## What is stored

`«TABLE»`, one row a user that is not deleted:

| column | what it is |
| --- | --- |
| `userId` | the user |
| `total` | different interests of the user in `UserInterest` |
| `updatedAt` | start of the run that last changed the row |
"""

SECTION = """

## «NAME»

```bash
sitejobs «NAME» --incremental
```

<!-- begin: «NAME» options -->
<!-- end: «NAME» options -->

What is stored: [«NAME».md](«NAME».md).
"""

DESCRIBED = '''    Described(
        «MODULE».JOB,
        {"«TABLE»": ("userId",)},
        """DELETE FROM "UserInterest" WHERE "userId" = 7""",
        _USER_GOES,
    ),
'''

TESTS = '''"""«NAME» against a plain implementation, whole and incremental."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import Connection

from sitejobs.postgres.connection import connect
from sitejobs.«PACKAGE».«MODULE» import JOB
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate, load
from tests.databases import site_database
from tests.keyed_runs import NOW, Ran, Runner
from tests.local.command import environment, sitejobs

USERS = 60
Site = tuple[str, Connection]


@pytest.fixture
def site(postgres_server: Server) -> Iterator[Site]:
    """A small site, nothing computed."""
    with site_database(postgres_server) as url, connect(url) as connection:
        load(connection, generate(USERS, 5, NOW))
        yield url, connection


def run(site: Site, **options: object) -> Ran:
    runner = Runner(JOB, site[0])
    try:
        return runner.run({"batchSize": 7, **options})
    finally:
        runner.close()


def expected(site: Site) -> dict[int, int]:
    """What should be stored."""
    rows = set(site[1].execute('SELECT "userId", "interestId" FROM "UserInterest"').fetchall())
    totals = Counter(user for user, interest in rows if interest is not None)
    users = site[1].execute('SELECT "id" FROM "User" WHERE "deletedAt" IS NULL').fetchall()
    return {user: totals[user] for (user,) in users}


def stored(site: Site) -> dict[int, int]:
    return dict(site[1].execute('SELECT "userId", "total" FROM "«TABLE»"').fetchall())


def test_a_full_run_stores_what_the_plain_implementation_computes(site: Site) -> None:
    ran = run(site)
    assert stored(site) == expected(site)
    assert ran.counts["written"] == len(stored(site))
    assert len(set(stored(site).values())) > 1


def test_an_incremental_run_looks_into_what_changed_only(site: Site) -> None:
    run(site)
    site[1].execute("""DELETE FROM "UserInterest" WHERE "userId" = (SELECT min("userId") FROM "UserInterest")""")
    ran = run(site, incremental=True)
    assert (ran.looked_into, ran.counts["written"]) == (1, 1)
    assert stored(site) == expected(site)


@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.parametrize("change", ['DELETE FROM "User"', """UPDATE "User" SET "deletedAt" = '2026-01-01'"""])
def test_the_row_of_a_user_who_goes_goes(site: Site, change: str, incremental: bool) -> None:
    run(site)
    user = min(stored(site))
    site[1].execute(f'{change} WHERE "id" = {user}'.encode())
    run(site, incremental=incremental)
    assert user not in stored(site)
    assert stored(site) == expected(site)


def test_the_command_runs_it(site: Site, tmp_path: Path) -> None:
    env = environment(DATABASE_URL=site[0], SITEJOBS_HOME=str(tmp_path))
    done = sitejobs("«NAME»", "--json", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["written"] == len(expected(site))
    assert stored(site) == expected(site)
'''

NEXT = """
«NAME» counts the interests of each user, and its tests pass. Make it yours:
  1. what it computes: layers/sitejobs/sitejobs/«PACKAGE»/«MODULE».py, its table in layers/sitejobs/sitejobs/migrations/
  2. what it is: docs/«NAME».md, and the summary in «PACKAGE»/options.py, functions/«MODULE»/, template.yaml, README.md
  3. what it reads: layers/sitejobs/sitejobs/schema/site.py, bundle.py and layers/sitejobs/sitejobs/jobs/tables.py
  4. what it waits for: layers/sitejobs/sitejobs/workflows/graph.py; without part="named" `sitejobs all` runs it
  5. its tests: tests/«PACKAGE»/test_«MODULE».py, its change in tests/promises/described.py
Then: make docs; make format; make check; make test ARGS="-k '«NAME» or «MODULE»'"
What runs cost: make bench ARGS=rates"""

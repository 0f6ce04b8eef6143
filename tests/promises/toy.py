"""A job outside the catalog that keeps every promise, and can be told to break one."""

from typing import Any, LiteralString

from sitejobs.aliases import JsonObject
from sitejobs.jobs.entry import JobEntry
from sitejobs.jobs.job import Chapter, Job, PageSummary, Resources, Run
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.options import PagedOptions
from sitejobs.schema.roles import role_script
from sitejobs.schema.site import SITE_TABLES
from tests.promises.described import NOW, Described
from tests.promises.site import PromiseSite

TABLE = """
CREATE TABLE "ToyScore" (
    "userId" bigint PRIMARY KEY, "score" double precision NOT NULL, "computedAt" timestamptz NOT NULL
)
"""
EVENT: JsonObject = {
    "run": {"job": "toy", "options": {}, "context": {"version": 1}},
    "page": {"page": 1, "users": 40},
}
_READ = {"User": ("id",), "Profile": ("userId", "lat", "deletedAt")}
_COMPUTED: LiteralString = """
SELECT DISTINCT {key} AS "userId", {score} AS "score" FROM "User" u
LEFT JOIN LATERAL (SELECT {columns} FROM "Profile" p WHERE p."userId" = u."id" AND p."deletedAt" IS NULL
                   LIMIT 1) AS p ON true
WHERE u."id" IS NOT NULL
"""
_FORGET = 'DELETE FROM "ToyScore" t WHERE NOT EXISTS (SELECT FROM "User" u WHERE u."id" = t."userId")'
_STALE = 'WHERE NOT EXISTS (SELECT FROM "ToyScore" s WHERE (s."userId", s."score") = (c."userId", c."score"))'


class ToyOptions(PagedOptions):
    """The toy has no options of its own."""


class Toy:
    """How far north each user lives."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.job = Job(
            JobEntry("toy", "toys", "how far north users live", ToyOptions), ToyOptions, self.plan, self.batch
        )

    def plan(self, resources: Resources, run: Run, options: ToyOptions, cursor: Any) -> Chapter:
        [(users,)] = resources.database.connection().execute('SELECT count("id") FROM "User"').fetchall()
        context: JsonObject = {"version": "one" if self.fault == "another event" else 1}
        return Chapter(pages=[{"page": 1, "users": users}], planned_pages=1, planned_users=users, context=context)

    def batch(self, resources: Resources, run: Run, options: ToyOptions, page: JsonObject) -> PageSummary:
        connection = resources.database.connection()
        if self.fault == "trusts every column":
            for (user,) in connection.execute('SELECT "userId" FROM "Profile"').fetchall():
                int(user)
        summary = PageSummary(processed=page["users"])
        with connection.transaction():
            if self.fault != "vanished users stay":
                connection.execute(
                    'DELETE FROM "ToyScore" t WHERE NOT EXISTS (SELECT FROM "User" u WHERE u."id" = t."userId")'
                )
            if self.fault == "sees no change" and options.incremental:
                written = 0
            else:
                written = connection.execute(self._store(options.incremental), {"now": run.started_at}).rowcount
        summary.written = written
        if options.incremental:
            summary.skip(SkipReason.FRESH, page["users"] - written)
        return summary

    def _store(self, incremental: bool) -> bytes:
        fault = self.fault
        score = 'CASE WHEN abs(p."lat") <= 90 THEN p."lat" ELSE 0 END'
        computed = _COMPUTED.format(
            key='(u."id" << 20) >> 20' if fault == "packs ids" else 'u."id"',
            score='COALESCE(p."lat", 0)' if fault == "stores NaN" else f"COALESCE({score}, 0)",
            columns="p.*" if fault == "selects every column" else 'p."lat"',
        )
        if fault == "takes deleted profiles":
            computed = computed.replace('AND p."deletedAt" IS NULL', 'ORDER BY p."deletedAt"')
        stale = (
            """WHERE NOT EXISTS (SELECT FROM "ToyScore" s WHERE (s."userId", s."score") = (c."userId", c."score"))"""
        )
        where = stale if incremental and fault != "always begins anew" else ""
        kept = 'WHERE t."computedAt" <= %(now)s' if fault == "yields to the future" else ""
        added = ' + t."score" + 1' if fault == "adds up" else ""
        return f"""INSERT INTO "ToyScore" AS t SELECT c."userId", c."score", %(now)s FROM ({computed}) AS c {where}
            ON CONFLICT ("userId") DO UPDATE SET "score" = EXCLUDED."score"{added}, "computedAt" = EXCLUDED."computedAt"
            {kept}""".encode()

    def described(self) -> Described:
        """What the promises need to know."""
        tables = [table for table in SITE_TABLES if table.name in _READ]
        reads = tuple((table, tuple(c for c in table.columns if c.name in _READ[table.name])) for table in tables)
        owned = 'GRANT USAGE ON SCHEMA public TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON "ToyScore" TO {role};'
        return Described(
            self.job,
            {"ToyScore": ("userId",)},
            'UPDATE "Profile" SET "lat" = 12 WHERE "userId" = 7',
            'DELETE FROM "User" WHERE "id" = {key}',
            reads=reads,
            grants=role_script("ROLE_OF_TOY", []).replace("{", "{{").replace("}", "}}").replace("ROLE_OF_TOY", "{role}")
            + owned,
        )

    def placed_on(self, site: PromiseSite) -> PromiseSite:
        """A site with its table and the results of a run of the job as it should be."""
        site.connection.execute(TABLE.encode())
        site.run(Toy().described(), NOW)
        return site

"""Row level security: a table that hides rows from the jobs' role is refused by name, and mended by what is said."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sitejobs.catalog import JOBS
from sitejobs.errors import InvalidInput
from sitejobs.jobs.job import Resources
from sitejobs.jobs.queues import Message
from sitejobs.jobs.row_security import Hiding, hiding, refuse_hidden_rows
from sitejobs.jobs.tables import OWNED, READ, UPDATED, tables_of
from sitejobs.media.uploads import handle_uploads
from sitejobs.postgres.connection import Database, connect
from sitejobs.schema.check import check
from sitejobs.schema.check import tables_of as contract_tables_of
from sitejobs.schema.roles import role_script
from sitejobs_local.aws.workers import WorkerPool
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import REPOSITORY
from sitejobs_local.template.resources import Function
from tests.databases import site_database, temporary_database
from tests.fakes import FolderWorkStore

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:{}:one"


@pytest.fixture(scope="module")
def template(postgres_server: Server) -> Iterator[str]:
    with site_database(postgres_server) as url:
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def url(postgres_server: Server, template: str) -> Iterator[str]:
    with temporary_database(postgres_server, template=template) as url:
        yield url


@pytest.fixture
def site(url: str) -> Iterator[Connection]:
    with connect(url) as connection:
        yield connection


@pytest.fixture
def role(site: Connection) -> Iterator[str]:
    """A role that may do what the jobs need."""
    name = f"worker {uuid.uuid4().hex[:8]}"
    site.execute(role_script(name, list(JOBS)).encode())
    site.execute(f'ALTER ROLE "{name}" LOGIN'.encode())
    yield name
    site.execute(f'REASSIGN OWNED BY "{name}" TO CURRENT_USER; DROP OWNED BY "{name}"; DROP ROLE "{name}"'.encode())


@pytest.fixture
def worker(url: str, role: str) -> Iterator[Connection]:
    with connect(make_conninfo(url, user=role)) as connection:
        yield connection


def hidden(connection: Connection, **tables: str) -> list[str]:
    return [entry.table for entry in hiding(connection, tables)]


@pytest.mark.parametrize("job", JOBS)
def test_the_tables_of_a_job_are_the_contracts(job: str) -> None:
    expected = {
        table.name: OWNED if table.owned else UPDATED if table.updates_for([job]) else READ
        for table in contract_tables_of([job])
        if not table.view
    }
    assert tables_of(job) == expected


def test_a_table_without_a_policy_hides_all_rows_and_one_with_a_policy_for_all_shows_them(
    site: Connection, worker: Connection, role: str
) -> None:
    assert hidden(worker, User="r", UserBlock="r") == []
    site.execute('INSERT INTO "User" DEFAULT VALUES; ALTER TABLE "User" ENABLE ROW LEVEL SECURITY')
    assert worker.execute('SELECT count(*) FROM "User"').fetchone() == (0,)
    (found,) = hiding(worker, {"User": "r", "UserBlock": "r"})
    assert found == Hiding("User", "public", "User", role, "r", restricted=False)
    site.execute(found.mend.encode())
    assert hidden(worker, User="r", UserBlock="r") == []
    assert worker.execute('SELECT count(*) FROM "User"').fetchone() == (1,)


@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        ("USING (true)", True),
        ("TO PUBLIC USING (true)", True),
        ("FOR SELECT TO {role} USING (true)", True),
        ('FOR SELECT TO {role} USING ("id" > 0)', False),
        ("FOR SELECT TO pg_monitor USING (true)", False),
        ("FOR UPDATE TO {role} USING (true)", False),
        ("FOR INSERT TO {role} WITH CHECK (true)", False),
        ('USING (true); CREATE POLICY b ON "User" AS RESTRICTIVE USING ("deletedAt" IS NULL)', False),
        ('USING (true); CREATE POLICY b ON "User" AS RESTRICTIVE TO pg_monitor USING (false)', True),
        ('USING (true); CREATE POLICY b ON "User" AS RESTRICTIVE USING (true)', True),
        ('USING (false); CREATE POLICY b ON "User" USING (true)', True),
    ],
)
def test_what_counts_is_a_permissive_policy_for_every_row_and_no_restrictive_one(
    site: Connection, worker: Connection, role: str, policy: str, shown: bool
) -> None:
    site.execute('ALTER TABLE "User" ENABLE ROW LEVEL SECURITY')
    text = policy.replace("{role}", f'"{role}"')
    site.execute(f'CREATE POLICY a ON "User" {text}'.encode())
    assert (hidden(worker, User="r") == []) == shown


def test_a_policy_of_a_group_counts_for_its_members(site: Connection, worker: Connection, role: str) -> None:
    site.execute('ALTER TABLE "User" ENABLE ROW LEVEL SECURITY')
    site.execute(f'GRANT pg_monitor TO "{role}"; CREATE POLICY a ON "User" TO pg_monitor USING (true)'.encode())
    assert hidden(worker, User="r") == []


def test_restrictive_policies_are_lifted_by_bypassing_them(site: Connection, worker: Connection, role: str) -> None:
    site.execute("""
        ALTER TABLE "User" ENABLE ROW LEVEL SECURITY;
        CREATE POLICY a ON "User" AS RESTRICTIVE USING ("deletedAt" IS NULL);
    """)
    (found,) = hiding(worker, {"User": "r"})
    assert found.mend == f'ALTER ROLE "{role}" BYPASSRLS;'
    site.execute(found.mend.encode())
    assert hidden(worker, User="r") == []


def test_each_thing_that_a_job_does_needs_a_policy(site: Connection, worker: Connection) -> None:
    site.execute("""
        ALTER TABLE "Media" ENABLE ROW LEVEL SECURITY;
        CREATE POLICY a ON "Media" FOR SELECT USING (true);
        ALTER TABLE "UserTrait" ENABLE ROW LEVEL SECURITY;
        CREATE POLICY b ON "UserTrait" USING (true) WITH CHECK ("userId" > 0);
    """)
    found = hiding(worker, {"Media": UPDATED, "UserTrait": OWNED})
    assert [(entry.table, entry.commands) for entry in found] == [("Media", "w"), ("UserTrait", "aw")]
    for entry in found:
        site.execute(entry.mend.encode())
    assert hiding(worker, {"Media": UPDATED, "UserTrait": OWNED}) == []


def test_owners_are_exempt_unless_it_is_forced(site: Connection, worker: Connection, role: str) -> None:
    site.execute('ALTER TABLE "User" ENABLE ROW LEVEL SECURITY')
    assert hidden(site, User="r") == []  # a superuser
    site.execute(f'ALTER TABLE "User" OWNER TO "{role}"'.encode())
    assert hidden(worker, User="r") == []
    site.execute('ALTER TABLE "User" FORCE ROW LEVEL SECURITY')
    assert hidden(worker, User="r") == ["User"]
    assert hidden(site, User="r") == []


def test_below_a_view_its_owners_policies_count_and_the_readers_if_it_is_made_so(
    site: Connection, worker: Connection, role: str
) -> None:
    site.execute(
        f"""
        ALTER TABLE "UserBlock" RENAME TO "blocks";
        ALTER TABLE "blocks" ENABLE ROW LEVEL SECURITY;
        CREATE VIEW "between" AS SELECT * FROM "blocks";
        CREATE VIEW "UserBlock" AS SELECT * FROM "between";
        GRANT SELECT ON "UserBlock", "between", "blocks" TO "{role}";
        INSERT INTO "User" ("id") VALUES (1), (2);
        INSERT INTO "blocks" VALUES (1, 2);
    """.encode()
    )
    assert worker.execute('SELECT count(*) FROM "UserBlock"').fetchone() == (1,)
    assert hidden(worker, UserBlock="r") == []
    if site.info.server_version >= 150_000:
        for spelling in ("true", "on", "1"):
            site.execute(f'ALTER VIEW "between" SET (security_invoker = {spelling})'.encode())
            assert worker.execute('SELECT count(*) FROM "UserBlock"').fetchone() == (0,)
            assert hidden(worker, UserBlock="r") == ["blocks"]
        site.execute('ALTER VIEW "between" SET (security_invoker = false)')
    site.execute(f'ALTER VIEW "between" OWNER TO "{role}"'.encode())
    assert worker.execute('SELECT count(*) FROM "UserBlock"').fetchone() == (0,)
    (found,) = hiding(worker, {"UserBlock": "r"})
    assert (found.asked, found.table, found.role) == ("UserBlock", "blocks", role)
    site.execute(found.mend.encode())
    assert worker.execute('SELECT count(*) FROM "UserBlock"').fetchone() == (1,)


def test_of_partitions_and_children_the_table_that_is_read_counts(
    site: Connection, worker: Connection, role: str
) -> None:
    site.execute(
        f"""
        DROP TABLE "UserBlock";
        CREATE TABLE "UserBlock" ("blockerId" bigint, "blockedId" bigint) PARTITION BY HASH ("blockerId");
        CREATE TABLE "blocks" PARTITION OF "UserBlock" FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        GRANT SELECT ON "UserBlock" TO "{role}";
        INSERT INTO "UserBlock" VALUES (1, 2);
        ALTER TABLE "blocks" ENABLE ROW LEVEL SECURITY;
        CREATE TABLE "More" () INHERITS ("Top5List");
        ALTER TABLE "More" ENABLE ROW LEVEL SECURITY;
    """.encode()
    )
    assert worker.execute('SELECT count(*) FROM "UserBlock"').fetchone() == (1,)
    assert hidden(worker, UserBlock="r", Top5List="r") == []
    site.execute('ALTER TABLE "UserBlock" ENABLE ROW LEVEL SECURITY; ALTER TABLE "Top5List" ENABLE ROW LEVEL SECURITY')
    assert worker.execute('SELECT count(*) FROM "UserBlock"').fetchone() == (0,)
    assert hidden(worker, UserBlock="r", Top5List="r") == ["Top5List", "UserBlock"]


def test_every_table_of_every_job_is_looked_at_as_postgresql_does(site: Connection, worker: Connection) -> None:
    names = {name for job in JOBS for name in tables_of(job)}
    for name in names:
        site.execute(f'ALTER TABLE "{name}" ENABLE ROW LEVEL SECURITY'.encode())
        assert worker.execute("SELECT row_security_active(quote_ident(%s))", [name]).fetchone() == (True,)
    for job in JOBS:
        assert {entry.asked for entry in hiding(worker, tables_of(job))} == set(tables_of(job))
        assert hiding(site, tables_of(job)) == []
    assert {finding.object for finding in check(worker, list(JOBS)).findings if finding.kind == "rows"} == {
        f'"public"."{name}"' for name in names
    }


def test_the_check_refuses_and_its_mends_satisfy_it(site: Connection, worker: Connection) -> None:
    site.execute("""
        ALTER TABLE "User" ENABLE ROW LEVEL SECURITY;
        ALTER TABLE "Media" ENABLE ROW LEVEL SECURITY;
        ALTER TABLE "FeedSegment" ENABLE ROW LEVEL SECURITY;
    """)
    report = check(worker, list(JOBS))
    assert not report.ok
    assert {finding.kind for finding in report.findings} == {"rows"}
    by_table = {finding.object: finding for finding in report.findings}
    assert by_table['"public"."FeedSegment"'].jobs == ("feed-presort", "feed-presort-cleanup")
    assert by_table['"public"."Media"'].problem.startswith("hides rows")
    for finding in report.findings:
        site.execute(finding.mend.encode())
    assert check(worker, list(JOBS)).findings == ()


def test_a_refusal_names_every_table_the_role_and_the_mend(site: Connection, worker: Connection, role: str) -> None:
    site.execute('ALTER TABLE "User" ENABLE ROW LEVEL SECURITY; ALTER TABLE "UserBlock" ENABLE ROW LEVEL SECURITY')
    with pytest.raises(InvalidInput) as refused:
        refuse_hidden_rows(worker, tables_of("match-scores"))
    assert str(refused.value) == (
        f'row level security hides rows of "public"."User", "public"."UserBlock" from {role},'
        " as if they were not there:"
        f' CREATE POLICY "SELECT all rows: {role}" ON "public"."User" FOR SELECT TO "{role}" USING (true);'
        f' CREATE POLICY "SELECT all rows: {role}" ON "public"."UserBlock" FOR SELECT TO "{role}" USING (true);'
        f' (or, by a superuser: ALTER ROLE "{role}" BYPASSRLS;)'
    )


def test_the_upload_trigger_refuses_before_it_looks_at_a_message(site: Connection, url: str, role: str) -> None:
    site.execute('ALTER TABLE "Media" ENABLE ROW LEVEL SECURITY')
    database = Database(make_conninfo(url, user=role))
    resources = Resources(database, FolderWorkStore(Path("unused")), {})
    with pytest.raises(InvalidInput, match=r'hides rows of "public"\."Media"'):
        handle_uploads(resources, [Message("1", "{}")])
    database.close()


# Plan -------------------------------------------------------------------------------------------------------


def _function(job: str) -> Function:
    code = REPOSITORY / "functions" / job.replace("-", "_")
    handler = "app.plan" if "plan = " in (code / "app.py").read_text() else "app.handler"
    layer = REPOSITORY / "layers" / "sitejobs"
    return Function(job, job, code, handler, timeout=900, memory=256, environment={}, layers=(layer,))


def test_every_jobs_plan_refuses_before_anything_is_written(
    site: Connection, url: str, role: str, tmp_path: Path
) -> None:
    environment = {
        "DATABASE_URL": make_conninfo(url, user=role),
        "POWERTOOLS_SERVICE_NAME": "sitejobs",
        "POWERTOOLS_METRICS_NAMESPACE": "sitejobs",
        "POWERTOOLS_TRACE_DISABLED": "1",
    }
    for job in JOBS:
        last = [name for name, commands in tables_of(job).items() if commands != OWNED][-1]
        site.execute(f'ALTER TABLE "{last}" ENABLE ROW LEVEL SECURITY'.encode())
    with WorkerPool([_function(job) for job in JOBS], environment=environment, log_file=tmp_path / "log") as pool:
        for job in JOBS:
            given = {"mediaId": "1"} if job == "media-metadata" else {}
            event = {"input": given, "execution": EXECUTION.format(job), "run": None, "cursor": None, "chapter": 0}
            answer = pool.invoke(job, json.dumps(event))
            assert answer.value["errorType"] == "InvalidInput", answer.value
            assert "row level security hides rows of" in answer.value["errorMessage"]
    assert site.execute('SELECT count(*) FROM "JobRun"').fetchone() == (0,)

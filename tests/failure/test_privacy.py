"""No run shows personal data, however it ends: only ids and counts."""

import json

import pytest

from tests.failure.site import Site

NAME = "Quackenbush"
BIRTHDATE, LATITUDE = "1987-03-21", "52.51862"

RECOGNISABLE = f"""
UPDATE "Profile" SET "displayName" = '{NAME} ' || "userId", "bio" = '{NAME}', "avatarUrl" = 'https://x/{NAME}.jpg',
    "locationText" = '{NAME}, Somewhere', "birthdate" = '{BIRTHDATE}', "lat" = {LATITUDE}, "lng" = 13.37619;
UPDATE "UserTrait" SET "traitKey" = '{NAME}-' || "traitKey";
UPDATE "Interest" SET "key" = '{NAME}-' || "key", "label" = '{NAME}';
UPDATE "QuizResult" SET "answers" = '{{"{NAME}": "{NAME}"}}';
UPDATE "UserPreference" SET "preferredGenders" = '["{NAME}"]' WHERE "userId" % 5 = 0
"""
QUOTING = """
CREATE FUNCTION quote() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE person "Profile";
BEGIN
    SELECT * INTO person FROM "Profile" WHERE "userId" = NEW."userId";
    RAISE EXCEPTION 'not %', person USING DETAIL = person::text, HINT = person."displayName";
END $$;
CREATE TRIGGER quote BEFORE INSERT ON "MatchList" FOR EACH ROW EXECUTE FUNCTION quote()
"""
FAILURES = {
    "none": "SELECT 1",
    "pages whose rows are quoted": QUOTING,
    "a plan that meets a name for a number": f"""ALTER TABLE "Profile" ALTER "lat" TYPE text USING '{NAME}'""",
}


def everything_shown(site: Site) -> str:
    """Logs, answers and errors of all functions, how executions ended, and the run's rows."""
    events = json.dumps([[event.event, event.result, event.error] for event in site.events], default=dict)
    ended = [repr(site.machine.describe(execution)) for execution in site.started]
    rows = [site.query(f'SELECT to_jsonb(t)::text FROM "{table}" t') for table in ("JobRun", "JobRunFailedPage")]
    return "\n".join([site.log.read_text(), events, *ended, repr(rows)])


@pytest.mark.parametrize("failure", FAILURES)
def test_neither_logs_nor_errors_nor_run_rows_show_a_person(site: Site, failure: str) -> None:
    site.query(RECOGNISABLE)
    site.query(FAILURES[failure])
    ended = site.run()
    assert ended.status == ("SUCCEEDED" if failure == "none" else "FAILED")
    shown = everything_shown(site)
    assert "match-scores" in shown
    for personal in (NAME, BIRTHDATE, LATITUDE):
        assert personal not in shown, shown[max(0, shown.index(personal) - 300) :][:600]

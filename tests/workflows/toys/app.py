"""Stands in for every job: records its start and end in the database, and does what the table "Toy" says."""

import os
import signal
import time
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

MEETING_S = 600.0
NOTE_START = 'INSERT INTO "Seen" ("job", "given") VALUES (%s, %s) RETURNING "id"'
NOTE_END = 'UPDATE "Seen" SET "ended" = clock_timestamp() WHERE "id" = %s'


class PagesFailed(Exception):
    """The error of a job with failed pages."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = event["job"]
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        [row] = connection.execute(NOTE_START, [job, Jsonb(event["input"])]).fetchall()
        told = connection.execute('SELECT "act", "others" FROM "Toy" WHERE "job" = %s', [job]).fetchone()
        act, others = told or ("succeed", [])
        deadline = time.monotonic() + MEETING_S
        while not set(others) <= {name for (name,) in connection.execute('SELECT "job" FROM "Seen"').fetchall()}:
            if time.monotonic() > deadline:
                raise PagesFailed(f"{job} met not all of {others}")
            time.sleep(0.02)
        if act == "fail":
            raise PagesFailed("2 of 3 pages failed")
        if act == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        connection.execute(NOTE_END, row)
    if act == "busy":
        return {"status": "ALREADY_RUNNING", "job": job, "runId": "7", "message": f"{job} is already running"}
    counts = {"pages": 1, "failedPages": 0, "processed": 10, "written": 5, "skipped": 0, "failed": 0}
    return {"job": job, "runId": "8", "status": "SUCCEEDED", **counts, "reasons": {}, "message": None}

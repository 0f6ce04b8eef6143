"""The same site with other ids: those of each table at both ends of bigint, in the same order."""

from typing import LiteralString

from psycopg import Connection

ENTITIES: dict[str, str] = {
    **dict.fromkeys(
        ("userId", "blockerId", "blockedId", "fromUserId", "toUserId", "ownerUserId", "viewerUserId",
         "userAId", "userBId", "candidateUserId", "targetUserId"), "User"),
    **dict.fromkeys(("raterProfileId", "targetProfileId", "profileId"), "Profile"),
    "postId": "Post", "mediaId": "Media", "listId": "Top5List", "subjectId": "InterestSubject",
    "interestId": "Interest", "quizId": "Quiz", "questionId": "QuizQuestion",
}  # fmt: skip
_TABLES = (*dict.fromkeys(ENTITIES.values()), "QuizOption")
_MAP: LiteralString = """
CREATE UNLOGGED TABLE "Moved" ("entity" text, "old" bigint, "new" bigint, PRIMARY KEY ("entity", "old"))
"""
_FILL = """
INSERT INTO "Moved" SELECT '{0}', "id",
    CASE WHEN "at" * 2 <= "all" THEN (-9223372036854775808 + "at" - 1)::bigint
         ELSE (9223372036854775807 - ("all" - "at"))::bigint END
FROM (SELECT "id", row_number() OVER (ORDER BY "id") AS "at", count(*) OVER () AS "all" FROM "{0}") AS numbered
"""
_COLUMNS = """
SELECT c.table_name, c.column_name FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE t.table_type = 'BASE TABLE' AND c.table_schema NOT IN ('pg_catalog', 'information_schema')
    AND (c.column_name = ANY (%s) OR c.column_name = 'id' AND c.table_name = ANY (%s)) AND c.table_name <> 'Moved'
    AND c.data_type <> 'ARRAY'
"""
_ANSWERS = """
UPDATE "QuizResult" r SET "answers" = (
    SELECT jsonb_object_agg(COALESCE(m."new"::text, a.key), a.value) FROM jsonb_each(r."answers") a
    LEFT JOIN "Moved" m ON m."entity" = 'QuizQuestion' AND m."old"::text = a.key)
WHERE jsonb_typeof(r."answers") = 'object' AND r."answers" <> '{}'
"""
_LISTS = """
UPDATE "MatchList" l SET "candidateUserId" = ARRAY(
    SELECT COALESCE(m."new", c."id") FROM unnest(l."candidateUserId") WITH ORDINALITY AS c ("id", "rank")
    LEFT JOIN "Moved" m ON m."entity" = 'User' AND m."old" = c."id" ORDER BY c."rank")
"""


def shift(connection: Connection) -> dict[str, dict[int, int]]:
    """Give every row new ids, and those that refer to it; old id -> new id of each table."""
    connection.execute(_MAP)
    for table in _TABLES:
        connection.execute(_FILL.format(table).encode())
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        for table, column in connection.execute(_COLUMNS.encode(), [list(ENTITIES), list(_TABLES)]).fetchall():
            entity = table if column == "id" else ENTITIES[column]
            connection.execute(
                f"""UPDATE "{table}" t SET "{column}" = m."new" FROM "Moved" m
                WHERE m."entity" = '{entity}' AND m."old" = t."{column}" """.encode()
            )
        connection.execute(_ANSWERS.encode())
        connection.execute(_LISTS.encode())
    moved: dict[str, dict[int, int]] = {}
    for entity, old, new in connection.execute('SELECT * FROM "Moved"').fetchall():
        moved.setdefault(entity, {})[old] = new
    connection.execute('DROP TABLE "Moved"')
    return moved

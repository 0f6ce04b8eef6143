"""What is told of each user: decisions and ratings, given and received, as one number that changes when they do."""

from typing import Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.codes import rows_of
from sitejobs.matching.usable_rows import RATED
from sitejobs.postgres.columns import fetch_columns

_RATING: Final[LiteralString] = f"""
    hashtextextended(concat_ws(' ', r."attractive", r."smart", r."funny", r."interesting"), <seed>) AS "kind"
    FROM "ProfileRating" r
    JOIN "Profile" a ON a."id" = r."raterProfileId" AND a."deletedAt" IS NULL
    JOIN "Profile" b ON b."id" = r."targetProfileId" AND b."deletedAt" IS NULL
    WHERE {RATED}
"""
_ROWS: Final[LiteralString] = f"""
SELECT l."fromUserId" AS "userId", l."toUserId" AS "otherId",
       CASE l."action"::text WHEN 'LIKE' THEN 1 ELSE 2 END::bigint AS "kind"
FROM "Like" l WHERE l."fromUserId" <users> AND l."action"::text IN ('LIKE', 'DISLIKE')
UNION ALL
SELECT l."toUserId", l."fromUserId", CASE l."action"::text WHEN 'LIKE' THEN 3 ELSE 4 END
FROM "Like" l WHERE l."toUserId" <users> AND l."action"::text IN ('LIKE', 'DISLIKE')
UNION ALL
SELECT "userAId", "userBId", 5 FROM "Match" WHERE "userAId" <users>
UNION ALL
SELECT "userBId", "userAId", 5 FROM "Match" WHERE "userBId" <users>
UNION ALL
SELECT a."userId", b."userId", {_RATING.replace("<seed>", "6")} AND a."userId" <users>
UNION ALL
SELECT b."userId", a."userId", {_RATING.replace("<seed>", "7")} AND b."userId" <users>
"""
"""What is told of the users of the condition `<users>`: a row for each thing that was said, by or about them."""

# Numbers of 40 bits: eight million of them can be summed in 64.
_FINGERPRINTS: Final[LiteralString] = f"""
SELECT t."userId", COALESCE(sum(hashint8extended(t."otherId"::bigint, t."kind") & 1099511627775), 0)::int8
       AS "fingerprint"
FROM ({_ROWS}) AS t GROUP BY t."userId"
"""
FINGERPRINTS_IN_RANGE: Final[LiteralString] = _FINGERPRINTS.replace("<users>", "BETWEEN %(first)s AND %(last)s")
"""For each user of a key range of whom something is told: a hash of all that."""

READ_FINGERPRINTS: Final[LiteralString] = _FINGERPRINTS.replace("<users>", "= ANY(%(ids)s)")


def fingerprints(connection: Connection, ids: Indices) -> Indices:
    """A number for each of the ids: 0 where nothing is told."""
    found = fetch_columns(connection, READ_FINGERPRINTS, {"ids": ids}, {"userId": "int8", "fingerprint": "int8"})
    by_id = np.argsort(ids)
    rows, known = rows_of(found["userId"], ids[by_id])
    result = np.zeros(len(ids), np.int64)
    result[by_id[rows[known]]] = found["fingerprint"][known]
    return result

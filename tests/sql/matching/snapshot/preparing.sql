-- READ_NEXT_PART
SELECT "id" FROM "User" WHERE "id" >= %(first)s ORDER BY "id" OFFSET %(users)s LIMIT 1;

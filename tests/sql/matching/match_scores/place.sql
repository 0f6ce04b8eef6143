-- _READ_END
SELECT max("id") FROM (SELECT "id" FROM "User" WHERE "id" >= %(first)s ORDER BY "id" LIMIT %(users)s) AS following;

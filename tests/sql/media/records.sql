-- _BY_ID
SELECT m."id", m."type"::text AS "type", m."status"::text AS "status", m."storageKey" AS "storage_key",
       m."mimeType" AS "mime_type", m."deletedAt" IS NOT NULL AS "is_deleted",
       k."mediaId" IS NOT NULL AS "is_checked", k."etag" AS "checked_etag", k."storageKey" AS "checked_key",
       k."verdict"
FROM "Media" m LEFT JOIN "MediaMetadata" k ON k."mediaId" = m."id"
WHERE m."id" = %(id)s;

-- _BY_KEY
SELECT "id" FROM "Media" WHERE "storageKey" = %(key)s ORDER BY "id" LIMIT 100;

-- _NEXT
SELECT "createdAt"::text, "id" FROM "Media"
WHERE
"status" = 'UPLOADED' AND "type"::text IN ('IMAGE', 'VIDEO', 'AUDIO') AND "deletedAt" IS NULL AND "storageKey" <> ''
 AND ("createdAt", "id") > (%(at)s, %(id)s)
ORDER BY "createdAt", "id" LIMIT %(limit)s;

-- _BETWEEN
SELECT "id" FROM "Media"
WHERE
"status" = 'UPLOADED' AND "type"::text IN ('IMAGE', 'VIDEO', 'AUDIO') AND "deletedAt" IS NULL AND "storageKey" <> ''
 AND ("createdAt", "id") > (%(at)s, %(id)s) AND ("createdAt", "id") <= (%(upto_at)s, %(upto_id)s)
ORDER BY "createdAt", "id";

-- _COUNT
SELECT count(*) FROM "Media" WHERE
"status" = 'UPLOADED' AND "type"::text IN ('IMAGE', 'VIDEO', 'AUDIO') AND "deletedAt" IS NULL AND "storageKey" <> ''
 AND ("createdAt", "id") > (%(at)s, %(id)s);

-- _LOCK
SELECT pg_advisory_xact_lock(hashtextextended('sitejobs media ' || %(id)s, 0));

-- _MARK
UPDATE "Media" SET "status" = %(status)s,
    "width" = COALESCE(%(width)s, "width"), "height" = COALESCE(%(height)s, "height"),
    "durationSec" = COALESCE(%(duration)s, "durationSec"), "mimeType" = COALESCE(%(mime_type)s, "mimeType")
WHERE "id" = %(id)s AND "storageKey" = %(key)s AND "deletedAt" IS NULL;

-- _UPSERT
INSERT INTO "MediaMetadata" ("mediaId", "storageKey", "etag", "objectModifiedAt", "verdict", "reasons", "checkedAt", "format", "kind", "mimeType", "sizeBytes", "durationMs", "width", "height", "storedWidth", "storedHeight", "rotation", "mirrored", "aspectRatio", "hasVideo", "hasAudio", "videoCodec", "videoProfile", "bitDepth", "frameRate", "bitRate", "hdrFormat", "audioCodec", "channels", "sampleRate", "language", "animated", "frameCount", "capturedAt", "playable", "placeholder", "dominantColor") VALUES (%(mediaId)s, %(storageKey)s, %(etag)s, %(objectModifiedAt)s, %(verdict)s, %(reasons)s, %(checkedAt)s, %(format)s, %(kind)s, %(mimeType)s, %(sizeBytes)s, %(durationMs)s, %(width)s, %(height)s, %(storedWidth)s, %(storedHeight)s, %(rotation)s, %(mirrored)s, %(aspectRatio)s, %(hasVideo)s, %(hasAudio)s, %(videoCodec)s, %(videoProfile)s, %(bitDepth)s, %(frameRate)s, %(bitRate)s, %(hdrFormat)s, %(audioCodec)s, %(channels)s, %(sampleRate)s, %(language)s, %(animated)s, %(frameCount)s, %(capturedAt)s, %(playable)s, %(placeholder)s, %(dominantColor)s) ON CONFLICT ("mediaId") DO UPDATE SET "storageKey" = excluded."storageKey", "etag" = excluded."etag", "objectModifiedAt" = excluded."objectModifiedAt", "verdict" = excluded."verdict", "reasons" = excluded."reasons", "checkedAt" = excluded."checkedAt", "format" = excluded."format", "kind" = excluded."kind", "mimeType" = excluded."mimeType", "sizeBytes" = excluded."sizeBytes", "durationMs" = excluded."durationMs", "width" = excluded."width", "height" = excluded."height", "storedWidth" = excluded."storedWidth", "storedHeight" = excluded."storedHeight", "rotation" = excluded."rotation", "mirrored" = excluded."mirrored", "aspectRatio" = excluded."aspectRatio", "hasVideo" = excluded."hasVideo", "hasAudio" = excluded."hasAudio", "videoCodec" = excluded."videoCodec", "videoProfile" = excluded."videoProfile", "bitDepth" = excluded."bitDepth", "frameRate" = excluded."frameRate", "bitRate" = excluded."bitRate", "hdrFormat" = excluded."hdrFormat", "audioCodec" = excluded."audioCodec", "channels" = excluded."channels", "sampleRate" = excluded."sampleRate", "language" = excluded."language", "animated" = excluded."animated", "frameCount" = excluded."frameCount", "capturedAt" = excluded."capturedAt", "playable" = excluded."playable", "placeholder" = excluded."placeholder", "dominantColor" = excluded."dominantColor", "checks" = "MediaMetadata"."checks" + 1;

-- _RESTORE
UPDATE "Media" SET "status" = %(status)s
WHERE "id" = %(id)s AND "storageKey" = %(key)s AND "deletedAt" IS NULL AND "status" = 'UPLOADED';

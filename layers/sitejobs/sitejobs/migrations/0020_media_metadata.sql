-- What an upload is and whether it is good: one row a checked Media record.
-- No foreign key: "Media" may be a view in the site's own schema.
CREATE TABLE IF NOT EXISTS "MediaMetadata" (
    "mediaId"          bigint           PRIMARY KEY,
    "storageKey"       text             NOT NULL,  -- of the object that was checked
    "etag"             text,                       -- its content's tag; NULL: there was no object
    "objectModifiedAt" timestamptz,
    "verdict"          text             NOT NULL CHECK ("verdict" IN ('READY', 'REJECTED', 'FAILED_PROCESSING')),
    "reasons"          jsonb            NOT NULL DEFAULT '[]',  -- [{"code", "detail"}]: all rules broken, or why not read
    "checkedAt"        timestamptz      NOT NULL,
    "checks"           integer          NOT NULL DEFAULT 1,
    "format"           text,
    "kind"             text,
    "mimeType"         text,
    "sizeBytes"        bigint,
    "durationMs"       bigint,
    "width"            integer,
    "height"           integer,
    "storedWidth"      integer,
    "storedHeight"     integer,
    "rotation"         smallint,
    "mirrored"         boolean,
    "aspectRatio"      double precision,
    "hasVideo"         boolean,
    "hasAudio"         boolean,
    "videoCodec"       text,
    "videoProfile"     text,
    "bitDepth"         smallint,
    "frameRate"        double precision,
    "bitRate"          bigint,
    "hdrFormat"        text,
    "audioCodec"       text,
    "channels"         smallint,
    "sampleRate"       integer,
    "language"         text,
    "animated"         boolean,
    "frameCount"       integer,
    "capturedAt"       timestamp,                  -- by the camera's own clock: it tells no zone
    "placeholder"      text,
    "dominantColor"    text
);

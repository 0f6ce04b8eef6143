-- Whether browsers play or show an upload, by container and codecs; NULL: checked before this was told, or not readable.
ALTER TABLE "MediaMetadata" ADD COLUMN IF NOT EXISTS "playable" boolean;

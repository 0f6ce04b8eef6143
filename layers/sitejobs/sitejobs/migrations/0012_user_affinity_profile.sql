-- Whose posts and which topics a user likes: one row a user who has ever liked a post, written by affinity.
-- Shares stand beside what they are the shares of, highest first.
CREATE TABLE IF NOT EXISTS "UserAffinityProfile" (
    "userId"             bigint           PRIMARY KEY,
    "topCreators"        bigint[]         NOT NULL, -- user ids
    "topCreatorShares"   real[]           NOT NULL, -- of all the likes that count
    "topTopics"          text[]           NOT NULL,
    "topTopicShares"     real[]           NOT NULL, -- of all the topics of the liked posts
    "contentTypePrefs"   jsonb            NOT NULL, -- {"photos": share, "videos": share, "text": share}
    "engagementVelocity" double precision NOT NULL, -- likes a day
    "explorationFactor"  double precision NOT NULL, -- 0..1
    "computedAt"         timestamptz      NOT NULL,
    "fingerprint"        bigint           NOT NULL  -- of what it was computed from: another one means that it is stale
);

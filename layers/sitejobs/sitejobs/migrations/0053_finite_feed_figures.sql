-- No figure of the feed's jobs that is not finite is ever stored. Rows that hold one are of an older version: they go, and
-- the next run writes them anew.
DELETE FROM "PostFeatures" WHERE NOT ("quality" > '-Infinity' AND "quality" < 'Infinity');
DELETE FROM "TrendingScore" WHERE NOT (least("popularity", "velocity", "peakVelocity") > '-Infinity'
                                       AND greatest("popularity", "velocity", "peakVelocity") < 'Infinity');
DELETE FROM "UserAffinityProfile" WHERE NOT (
    least("engagementVelocity", "explorationFactor") > '-Infinity'
    AND greatest("engagementVelocity", "explorationFactor") < 'Infinity'
    AND 'Infinity' > ALL ("topCreatorShares" || "topTopicShares")
    AND '-Infinity' < ALL ("topCreatorShares" || "topTopicShares"));

ALTER TABLE "PostFeatures" DROP CONSTRAINT IF EXISTS "PostFeatures_finite";
ALTER TABLE "PostFeatures" ADD CONSTRAINT "PostFeatures_finite"
    CHECK ("quality" > '-Infinity' AND "quality" < 'Infinity'); -- NaN counts as more than infinity
ALTER TABLE "TrendingScore" DROP CONSTRAINT IF EXISTS "TrendingScore_finite";
ALTER TABLE "TrendingScore" ADD CONSTRAINT "TrendingScore_finite"
    CHECK (least("popularity", "velocity", "peakVelocity") > '-Infinity'
           AND greatest("popularity", "velocity", "peakVelocity") < 'Infinity');
ALTER TABLE "UserAffinityProfile" DROP CONSTRAINT IF EXISTS "UserAffinityProfile_finite";
ALTER TABLE "UserAffinityProfile" ADD CONSTRAINT "UserAffinityProfile_finite"
    CHECK (least("engagementVelocity", "explorationFactor") > '-Infinity'
           AND greatest("engagementVelocity", "explorationFactor") < 'Infinity'
           AND 'Infinity' > ALL ("topCreatorShares" || "topTopicShares")
           AND '-Infinity' < ALL ("topCreatorShares" || "topTopicShares"));

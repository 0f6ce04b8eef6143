-- Executions that were stopped, or took longer than they may, close their run as such.

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint
                   WHERE conrelid = '"JobRun"'::regclass AND conname = 'JobRun_status_check'
                     AND pg_get_constraintdef(oid) LIKE '%TIMED_OUT%') THEN
        ALTER TABLE "JobRun" DROP CONSTRAINT IF EXISTS "JobRun_status_check";
        ALTER TABLE "JobRun" ADD CONSTRAINT "JobRun_status_check"
            CHECK ("status" IN ('RUNNING', 'SUCCEEDED', 'FAILED', 'DIED', 'ABORTED', 'TIMED_OUT'));
    END IF;
END $$;

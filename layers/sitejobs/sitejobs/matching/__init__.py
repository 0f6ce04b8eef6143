"""Who suits whom: the jobs match-scores and compatibility.

match-scores finds, for each viewer, the K candidates of the highest score, exactly, without scoring every pair:

    PostgreSQL                                                                             PostgreSQL
    population  ------>  snapshot  ------------------>  top K  ----------------------->  MatchList
      read once a run,     encoded, in blocks             a page at a time: bound,         written by the page,
      by key ranges        with upper bounds              screen, score exactly            one transaction

    match_scores/    the job
        job            Plan sees to the snapshot and cuts pages; a batch computes one
        preparing      the snapshot, in one piece or in parts that the first pages take
        page           search, check what changed since the snapshot, write; page_run: what a page works with
        incremental    ranks changed candidates among stored matches, by merging and stored_lists
        changes        compares two snapshots
        visibility     hidden profiles and deletions at the time of writing; admirers: who likes a viewer already
        settings       what a run scores with: variables and the chosen model; pair: one pair explained
        lists, store   encodes lists and their changes, writes what differs; old_rows: rows of before there were lists
    snapshot/        the population as of the run's start
        population     reads the tables; exclusions: blocks and decisions, then and when a page is written
        encoding       columns to arrays; hashing: what two snapshots are compared by
        blocks         order and cut; snapshot: blocks with their bounds
        file           one file, read by byte ranges; layout: bytes of a block; candidates: opened for a search
        parts          a key range by itself; merging: parts to one file; work_files: files of a run
    topk/            exact top-K retrieval
        search         which blocks a viewer visits, in which order
        bounds         upper bound of the scores in a block
        screening      upper bound, then approximate key of single pairs; segment, wishes: candidates laid out for it
        worths         what sums of parts are worth: a weighted sum, or chances by a model; keys: how exact keys are
        buffer         the best keys of each viewer so far, and the threshold
    scoring/         the formula
        pair_scores    all parts of a pair in double precision; chances: by a learned model, of its features
        users          people as arrays; interests, quizzes, geometry, codes, ragged, arrays: what they are made of
        parameters     weights and other settings
    compatibility/   the other job: detailed scores between a viewer and users it has to do with
        job, inputs, targets, people, comparing, scoring, store
    usable_rows      which rows of the site's tables count; passed_over: counts those that do not
    options          the options of both jobs

The search is exact top-K retrieval with block-max pruning. Candidates stand in blocks, each with an upper bound of what
its members can score. A viewer skips a block whose bound is below the viewer's threshold, the K-th best score so far.
Sources: MaxScore (Turtle and Flood, Query evaluation: strategies and optimizations, 1995), WAND (Broder et al.,
Efficient query evaluation using a two-level retrieval process, 2003), Block-Max WAND (Ding and Suel, Faster top-k
document retrieval using block-max indexes, 2011).
"""

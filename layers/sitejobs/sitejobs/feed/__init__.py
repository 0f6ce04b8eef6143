"""The feed's jobs: what posts are about, which of them draw likes, what a user likes, and the feeds made of it.

The jobs, one module each: `content_features`, `trending` and `affinity` compute what feeds are scored by;
`feed_presort` stores each user's first segments, `feed_presort_cleanup` removes outdated ones. `options` has their
options, `losses` what their guards count.

A presort reads candidates (`inputs`; the SQL is in `sources` and `media`), orders posts (`scoring`) and suggestions
(`suggestions`), fills the slots of the pattern (`rules`, `filling`), makes the cards (`feeds`, `cards`) and writes them
(`segments`). `freshness` finds the feeds to be made anew. `topics` and `stop_words` take topics from a text.
"""

"""What stands in the feed: what posts are about, which of them draw likes, whose and what a user likes."""

"""What a site's own likes and dislikes teach about who says yes to whom."""

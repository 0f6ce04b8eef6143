"""match-model and match-quality: gather the site's decisions page by page, then train on them and ask them."""

"""What the site knows of its users in short: their traits out of quiz answers, and their sets of interests."""

"""Users' traits, computed from quiz answers, and the users of each interest and subject."""

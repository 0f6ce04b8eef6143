"""The six parts of a score, and the arrays that they are computed from.

`pair_scores` scores chosen pairs in double precision, with the `parameters` of the site. `users` holds people as
arrays; `interests`, `quizzes` and `geometry` compare them; `codes`, `ragged` and `arrays` are what these are made of.
"""

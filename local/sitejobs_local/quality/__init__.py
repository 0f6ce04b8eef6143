"""What a model's figures say: in words, as tables for a terminal, and as a page with pictures."""

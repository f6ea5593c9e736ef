"""Judged data in, a better model out: recipes, rows, losses, guards, and a model folder at the end."""

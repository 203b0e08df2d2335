"""The game told a second time: one arena, plain Python, a rule at a time.

The files and functions bear the names of those in cuda/ and come in the same order, but were
written from docs/rules.md alone. Where the two agree in every bit, both are right. Read `tick`
first.
"""

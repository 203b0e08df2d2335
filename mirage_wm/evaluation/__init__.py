"""How well a model dreams, measured against the game itself. `mirage_wm.evaluate` is the command.

To be read in this order: `worlds` (dreams and the game begin from the same moments and get the same
keys), `plays` and `moments` (held-out play, and what happens in it), `likeness` (frame by frame,
and the ceiling), `scenes`, `objects`, `film`, `checks` and `rule_tests` (rules, looked for in the
pixels), `chance`, `keys`, `drift` (long dreams), `measure` (all of it); then what is made of the
figures: `report`, `tables`, `page`.
"""

"""Continued masked-language training of a base on unlabelled text (Gururangan et al. 2020, section 3).

`texts` reads and splits, `masking` hides words, `loop` trains, `run` goes from files to a base folder that
``foreshock train`` starts from. Needs ``foreshock[train]``.
"""

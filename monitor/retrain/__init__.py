"""The desk teaches the model: gold labels, a training, a gate, a promotion, and back again.

`collect` chooses what is learnt and what is held out, `refit` and `recipe` make the candidate, `gate` says
whether it may classify, `job` runs them one after the other in a process of its own, and `occasions` says
when. Nothing here reads streams; a promotion is taken over by `monitor.classify.serving`.
"""

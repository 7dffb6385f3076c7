"""Heads fitted anew on the encoder that serves: what a desk's labels change, without torch and in seconds.

The encoder, its graph and its embedding stay bit for bit as they are, so that nothing has to be quantised,
embedded or measured for speed again, and a head can be put back by itself. `features` reads what the graph
gives its heads, `fit` fits a head to it, `write` makes a bundle of the champion's files with other heads.
"""

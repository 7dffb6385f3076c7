"""Finding stored items: by their words, by what they mean, and more like one of them.

An answer is always items that are stored, never text that was made up.
"""

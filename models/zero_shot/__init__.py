"""Labels without training: by what a label is described as, or by the word that stands for it.

`labels` reads the file that describes them, `embedding` scores by likeness of embeddings, `cloze` by the
masked-language head, `scorer` picks between them. Needs ``foreshock[train]``. The package's own file is
``news.yaml``; another is a mapping of heads in the same form.
"""

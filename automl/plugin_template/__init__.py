"""The repository that `automl plugin new` writes: files with ``$name`` and the like in them, and what fills them in.

Templates are `string.Template`: the few names to fill in are worth no template language.
"""

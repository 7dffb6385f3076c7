"""The API under ``/api/v1``: what the pages know, for programs. The only door of FastAPI.

To add a route: a function in the module of its subject that takes a `Reader`, an `Actor` or an `Admin`, an
example in its shape, and a line in the role matrix of ``tests/integration/test_api.py``, which fails without.
"""

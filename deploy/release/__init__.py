"""What a release is made of, the same bytes each time: ``python -m deploy.release``."""

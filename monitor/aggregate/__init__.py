"""Trends: from classified articles to buckets, and from buckets to baselines."""

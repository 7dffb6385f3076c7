"""Studies: whether the index or the alerts went before prices, told with what chance would give."""

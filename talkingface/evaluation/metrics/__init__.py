"""The toolkit's own metrics, by what they look at."""

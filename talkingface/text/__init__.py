"""Text files as data: one reader for lists and tables, one for YAML; every fault names the file and the line."""

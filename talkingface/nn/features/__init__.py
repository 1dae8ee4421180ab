"""Networks of others whose features published metrics compare, under the names of their weight files."""

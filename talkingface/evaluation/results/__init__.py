"""Results of an evaluation: pages, files, stills, statistics, what is kept of a run that is stopped."""

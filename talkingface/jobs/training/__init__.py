"""Parts of ``--run_mode=train``: its clips, its processes, sweeps, and the comparison with recorded losses."""

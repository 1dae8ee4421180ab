"""Long results that survive a kill: what is finished is kept beside the result, and the same run goes on from it."""

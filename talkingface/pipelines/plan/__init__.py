"""Everything that is settled before anything is loaded: inputs, options, checks, what drives whom, facts of weights."""

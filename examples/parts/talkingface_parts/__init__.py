"""Parts that other packages may add to talkingface, one module for each kind."""

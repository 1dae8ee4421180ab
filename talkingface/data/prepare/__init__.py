"""From raw videos to training data, in steps that can be stopped and rerun."""

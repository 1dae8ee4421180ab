"""How compact weights are trained, a module for each model."""

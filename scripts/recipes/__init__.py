"""Recipes that train compact weights, a module for each model."""

"""Clips that are measured: folders of videos, pairs of people, a baseline."""

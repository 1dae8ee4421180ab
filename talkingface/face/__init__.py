"""Faces in pictures and videos: detection, landmarks, tracks, crops, and putting results back."""

"""The compact networks: keypoints, dense motion from them, and a generator, of about three million parameters."""

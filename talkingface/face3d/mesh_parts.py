"""Rings of points of the face mesh, each closed and in order around a part of the face.

The numbers are those of MediaPipe's face mesh with 468 points (docs/faces.md). Left and right are as
seen in the picture.
"""

INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
LEFT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
RIGHT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)

UPPER_LIDS = (246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398)
LOWER_LIDS = (7, 163, 144, 145, 153, 154, 155, 249, 390, 373, 374, 380, 381, 382)
"""Points of the lids of both eyes that meet when the eyes shut, in pairs."""

UPPER_LIPS = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_LIPS = (95, 88, 178, 87, 14, 317, 402, 318, 324)
"""Points of the inner lips that meet when the mouth shuts, in pairs."""

EYE_CORNERS = (33, 263)
"""Outer corners of the eyes."""
FOREHEAD, CHIN = 10, 152
"""Top and bottom of the face."""

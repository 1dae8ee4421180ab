"""Coefficients of a three-dimensional face: named views, reconstruction networks, face models, preview."""

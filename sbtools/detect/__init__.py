"""Boxes of people and objects: the stage, and a file per detector."""

from __future__ import annotations

DETECTORS = {
    "grounding-dino": "sbtools.detect.grounding_dino:GroundingDinoDetector",
    "classic": "sbtools.detect.classic:ClassicDetector",
    "hog": "sbtools.detect.hog:HogDetector",
    "haar": "sbtools.detect.haar:HaarDetector",
    "motion": "sbtools.detect.motion:MotionDetector",
}
"""Name -> class; other packages add to it through the entry-point group sbtools.detectors."""

AUTO = "classic"

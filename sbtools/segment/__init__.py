"""Shapes of people and objects: the stage, and a file per segmenter."""

from __future__ import annotations

SEGMENTERS = {
    "grabcut": "sbtools.segment.grabcut:GrabCutSegmenter",
    "png": "sbtools.segment.png:PngSegmenter",
    "rle": "sbtools.segment.rle:RleSegmenter",
    "sam": "sbtools.segment.sam:SamSegmenter",
}
"""Name -> class; other packages add to it through the entry-point group sbtools.segmenters."""

AUTO = "grabcut"

"""Which scene a clip shows: scores over named scenes, for those who train or probe with them."""

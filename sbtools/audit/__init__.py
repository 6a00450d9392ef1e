"""How much of the labels of a data set can be had without watching what moves."""

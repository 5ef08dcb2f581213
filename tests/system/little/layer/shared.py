"""What the layer of the little stack holds."""

WORD = "from the layer"

"""Questions in the notebook: a form in the cell, or a line to type, and what stays of them."""

"""Documents, their vectors, and searching them."""

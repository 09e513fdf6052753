"""The part of supportbot that learns: it reads sources and keeps the index in step with them."""

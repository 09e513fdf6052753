"""Retrieval-augmented answers: passages for a question, and an answer from passages."""

"""What a message is for: the catalog of intents, the classifier, and how it learns."""

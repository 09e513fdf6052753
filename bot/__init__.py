"""The part of supportbot that talks: it takes questions, finds passages and answers."""

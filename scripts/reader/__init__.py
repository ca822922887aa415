"""The reader's training: a joint reranker and reader in Portuguese and English (scripts/train_reader.py)."""

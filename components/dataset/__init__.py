"""The dataset: read, checked, labelled, split by lesion; made, and downloaded."""

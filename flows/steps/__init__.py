"""One file for each stage of ``dvc.yaml``: which inputs, which work, which outputs.

No computation lives here; `flows.work` and `components` hold it.
"""

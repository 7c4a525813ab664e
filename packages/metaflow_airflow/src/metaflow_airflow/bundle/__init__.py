"""A DAG bundle with versions: immutable files and small manifests, in a folder or in S3."""

"""A Git repository in the cluster, who commits to it, and who applies it: GitOps, small."""

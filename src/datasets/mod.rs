//! Test sequences by name: manifests of what they are, and their files on this machine.

//! The command lines of `nvc` and `nvc-decode`.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod cli;

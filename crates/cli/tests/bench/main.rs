//! `nvc bench` as a user runs it: results, resuming, faults.
#![cfg(feature = "bench")]

mod faults;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(feature = "encode")]
mod points;
mod runs;
#[cfg(target_os = "linux")]
#[path = "../../../media/tests/support/mod.rs"]
mod support;
mod workspace;

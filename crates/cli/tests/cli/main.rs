//! The programs as a user runs them: `nvc` and `nvc-decode`, on clips made here, fitted for a
//! moment.
#![cfg(feature = "encode")]

mod batch;
mod clip;
mod clips;
mod decoding;
mod encoding;
mod failures;
mod families;
mod faults;
mod formats;
mod pipes;
mod run;
#[path = "../../../media/tests/support/mod.rs"]
mod support;
mod targets;

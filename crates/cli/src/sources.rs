//! Sources by the names that arguments hold: files, stdin, data sets.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::args::SourceArgs;
use super::say::say;
#[cfg(not(feature = "bench"))]
use nvc::error::Error;
use nvc::error::Result;
use nvc_media::{BoxedSource, SourceRange, Takes, open_source};

/// Opens a source; says what of it cannot be kept. An option for sources that has no meaning for
/// this one is an error.
pub fn open(input: &SourceArgs, path: &Path) -> Result<BoxedSource> {
    let source = open_any(input, path)?;
    input
        .options()
        .check_used(takes(path, &source), &path.display().to_string())?;
    Ok(source)
}

/// The same whatever options there are.
pub fn open_any(input: &SourceArgs, path: &Path) -> Result<BoxedSource> {
    let mut source = match dataset(path) {
        Some(name) => open_dataset(name)?,
        None => open_source(path, &input.options())?,
    };
    warn(path, &mut source);
    Ok(source)
}

/// The options that a source takes; of a data set, all is known.
pub fn takes(path: &Path, source: &BoxedSource) -> Takes {
    if dataset(path).is_some() {
        Takes::default()
    } else {
        source.takes()
    }
}

fn dataset(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix("dataset:")
}

/// Says what of a source cannot be kept, as far as it was not said before.
pub fn warn(path: &Path, source: &mut BoxedSource) {
    for w in source.take_warnings() {
        say(&format!("warning: {}: {w}", path.display()));
    }
}

/// A sequence by its name; the manifest knows its geometry.
#[cfg(feature = "bench")]
fn open_dataset(name: &str) -> Result<BoxedSource> {
    nvc_lab::datasets::Store::open(None, &[])?.open_source(name)
}

#[cfg(not(feature = "bench"))]
fn open_dataset(name: &str) -> Result<BoxedSource> {
    Err(Error::Unsupported(format!(
        "dataset:{name}: this build knows no datasets (feature 'bench')"
    )))
}

/// The frames that are asked for; all if none are.
pub fn in_range(source: BoxedSource, frames: Option<&Range<u64>>) -> Result<BoxedSource> {
    match frames {
        Some(r) => Ok(Box::new(SourceRange::new(source, r.clone())?)),
        None => Ok(source),
    }
}

/// Names of inputs that stand for files or stdin, not for a data set.
pub fn files<'a>(
    paths: impl IntoIterator<Item = Option<&'a PathBuf>>,
) -> impl Iterator<Item = &'a PathBuf> {
    paths.into_iter().flatten().filter(|p| dataset(p).is_none())
}

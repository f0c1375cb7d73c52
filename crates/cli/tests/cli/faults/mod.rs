//! What goes wrong with names, sources and options: nothing is destroyed, and nothing is lost
//! unsaid.
#![cfg(unix)]

#[cfg(feature = "ffmpeg")]
mod containers;
mod edges;
mod files;
mod first;
mod inputs;
mod kept;
mod links;
mod stopped;
mod words;

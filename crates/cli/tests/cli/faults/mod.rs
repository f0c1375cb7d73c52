//! What goes wrong with names, sources and options: nothing is destroyed, and nothing is lost
//! unsaid.
#![cfg(unix)]

mod edges;
mod files;
mod first;
mod inputs;
mod kept;
mod words;

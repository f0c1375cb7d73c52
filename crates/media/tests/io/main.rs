//! Sources and sinks through their public doors, against each other and against the ffmpeg program.

mod clip;
#[cfg(feature = "ffmpeg")]
mod containers;
mod faults;
mod round_trips;
#[path = "../support/mod.rs"]
mod support;

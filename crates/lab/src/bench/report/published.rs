//! Published curves as a report draws them.

use crate::bench::published::{Published, uvg};

/// Published curves that are drawn without being asked for, where there are many.
const SHOWN: &[&str] = &[
    "C3 (adaptive)",
    "HM 18.0 random access",
    "VTM 17.0 random access",
    "x265 medium, no B-frames",
    "HiNeRV",
    "FFNeRV",
    "HNeRV",
    "HNeRV (authors, 1920x960)",
    "NeRV",
];

/// Whether it is one of them.
pub fn shown(curve: &Published) -> bool {
    SHOWN.contains(&curve.name.as_str())
}

/// Number of the curve's colour and marker: the same on every sequence.
pub fn style(curve: &Published) -> usize {
    let mut names: Vec<&str> = Vec::new();
    for c in &uvg().curves {
        if !names.contains(&c.name.as_str()) {
            names.push(&c.name);
        }
    }
    names.iter().position(|n| *n == curve.name).unwrap_or(0)
}

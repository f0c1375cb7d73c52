//! The decoded frames: PNG files, each embedded once.

use std::path::Path;

use super::{Content, Kind};

/// The pictures of a report, and what is wrong with those that are not in it.
#[derive(Default)]
pub(super) struct Pictures {
    pub shown: Vec<Picture>,
    pub warnings: Vec<String>,
}

/// One PNG.
pub(super) struct Picture {
    /// Number, part of the element's id.
    pub id: usize,
    /// Number of the view it belongs to.
    pub view: usize,
    /// What it shows.
    pub label: String,
    /// Whole file.
    pub png: Vec<u8>,
}

impl Pictures {
    /// Reads those of all sequences, the source first; a sequence of which no decoded picture is there has none.
    pub(super) fn read(dir: &Path, content: &Content) -> Pictures {
        let mut out = Pictures::default();
        for (view, v) in content.views.iter().enumerate().filter(|(_, v)| v.kind == Kind::Sequence) {
            let info = content.input.sequences.iter().find(|s| s.name == v.name);
            let source = info.and_then(|i| Some((i.picture.as_deref()?, format!("source, frame {}", i.picture_frame))));
            let decoded = content.rows_of(v).into_iter().filter_map(|(row, point)| {
                let path = point?.picture.as_deref()?;
                let weak = if row.weak == "yes" { " (weak)" } else { "" };
                let psnr = content.metrics.iter().find_map(|m| Some(format!(", {} {}", m.name(), m.format(m.of(row)?))));
                let label = format!("{}{weak} {}: {:.4} bpp{}", row.curve(), row.point, row.bpp, psnr.unwrap_or_default());
                Some((Path::new(path), label))
            });
            for (path, label) in source.into_iter().chain(decoded) {
                match std::fs::read(dir.join(path)) {
                    Ok(png) if png.starts_with(b"\x89PNG\r\n\x1a\n") => out.shown.push(Picture { id: out.shown.len(), view, label, png }),
                    Ok(_) => out.warnings.push(format!("The picture {} ({}, {label}) is no PNG file.", path.display(), v.name)),
                    Err(e) => out.warnings.push(format!("The picture {} ({}, {label}) could not be read: {e}.", path.display(), v.name)),
                }
            }
        }
        out
    }
}

/// RFC 4648 base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |v, &b| v << 8 | u32::from(b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

//! The report: one HTML file with everything in it, and the same curves as SVG files.

mod content;
mod data;
mod diagrams;
mod escape;
mod html;
mod input;
mod pictures;
mod plots;
mod published;

use std::path::Path;

use crate::files::{make_folder, write_whole};
use ::nvc::error::Result;
use content::Content;
use pictures::Pictures;

pub use input::{PICTURE_BUDGET, ReportInput, SequenceInfo};

/// Writes `report.html` and `plots/*.svg` to `dir`, which holds the pictures. What could not be
/// shown, such as a missing picture, is said in the report.
pub fn write_report(dir: &Path, input: &ReportInput) -> Result<()> {
    let content = Content::new(input);
    let plots = content.plots()?;
    if !plots.is_empty() {
        let folder = dir.join("plots");
        make_folder(&folder)?;
        for (file, svg) in &plots {
            write_whole(&folder.join(file), svg.as_bytes())?;
        }
    }
    let pictures = Pictures::read(dir, &content);
    let page = html::page(&content, &plots, &pictures)?;
    write_whole(&dir.join("report.html"), page.as_bytes())
}

#[cfg(test)]
mod tests;

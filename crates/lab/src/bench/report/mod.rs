//! The report: one HTML file with everything in it, and the same curves as SVG files.

mod content;
mod data;
mod diagrams;
mod html;
mod input;
mod pictures;
mod plots;
mod published;

use std::path::{Path, PathBuf};

use ::nvc::error::{Error, Result};
use content::Content;
use pictures::Pictures;

pub use input::{PICTURE_BUDGET, ReportInput, SequenceInfo};

/// Writes `report.html` and `plots/*.svg` to `dir`, which holds the pictures. What could not be
/// shown, such as a missing picture, is said in the report.
pub fn write_report(dir: &Path, input: &ReportInput) -> Result<()> {
    let write = |path: PathBuf, text: &str| {
        std::fs::write(&path, text).map_err(|e| Error::io(format!("writing {}", path.display()), e))
    };
    let content = Content::new(input);
    let plots = content.plots()?;
    if !plots.is_empty() {
        let folder = dir.join("plots");
        std::fs::create_dir_all(&folder)
            .map_err(|e| Error::io(format!("making {}", folder.display()), e))?;
        for (file, svg) in &plots {
            write(folder.join(file), svg)?;
        }
    }
    let pictures = Pictures::read(dir, &content);
    write(
        dir.join("report.html"),
        &html::page(&content, &plots, &pictures),
    )
}

#[cfg(test)]
mod tests;

//! What a run leaves: `results.csv`, CompressAI's JSON, tables, plots and the report.

use std::path::Path;

use super::jobs::write_whole;
use super::plan::Plan;
use super::row::{Point, Row};
use super::run::Outcome;
use crate::error::{Error, Result};

/// What is written beside the points of a run.
pub struct Finished<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What came of it.
    pub outcome: &'a Outcome,
    /// The command line of the run.
    pub command: String,
}

/// Writes everything that follows from the finished points into `out`; a table of BD-rates comes back for the terminal.
pub fn write_results(out: &Path, finished: &Finished) -> Result<String> {
    let points = &finished.outcome.points;
    write_whole(&out.join("results.csv"), csv(points.iter().map(|p| &p.row))?.as_bytes())?;
    Ok(String::new())
}

/// Rows as CSV with a line of names.
pub fn csv<'a>(rows: impl Iterator<Item = &'a Row>) -> Result<String> {
    let fault = |e: &dyn std::fmt::Display| Error::Parameter(format!("writing CSV: {e}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|e| fault(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| fault(&e))?;
    String::from_utf8(bytes).map_err(|e| fault(&e))
}

/// Reads back what [`csv`] wrote.
pub fn read_csv(path: &Path) -> Result<Vec<Row>> {
    let fault = |e: csv::Error| Error::Parameter(format!("{}: {e}", path.display()));
    csv::Reader::from_path(path).map_err(fault)?.deserialize().collect::<std::result::Result<_, _>>().map_err(fault)
}

/// The processor and the system, for the report.
pub fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':').map(|(_, m)| m.trim().to_string()));
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
    format!(
        "{} ({processors} processors), {} {}",
        model.unwrap_or("processor unknown".into()),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_comes_back() {
        let row = Row {
            codec: "x264".into(),
            config: "a, \"b\"".into(),
            bytes: 7,
            vmaf: Some(93.25),
            command: "line\nbreak".into(),
            ..Row::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.csv");
        std::fs::write(&path, csv([&row, &Row::default()].into_iter()).unwrap()).unwrap();
        assert_eq!(read_csv(&path).unwrap(), [row, Row::default()]);
        let head = std::fs::read_to_string(&path).unwrap();
        assert!(
            head.starts_with("codec,version,config,point,weak,sequence,frames,width,height,fps,pix_fmt,bit_depth,bytes,bpp,kbps,psnr_y,")
        );
        std::fs::write(&path, "codec,bytes\nx,many\n").unwrap();
        assert!(read_csv(&path).is_err());
    }
}

//! What a run leaves: `results.csv`, CompressAI's JSON, tables, plots and the report.

use std::path::Path;

use time::OffsetDateTime;

use super::compressai;
use super::plan::Plan;
use super::report::{PICTURE_BUDGET, ReportInput, SequenceInfo, write_report};
use super::row::Row;
use super::run::Outcome;
use super::tables::{self, BdTable};
use crate::datasets;
use crate::files::write_whole;
use ::nvc::error::{Error, Result};

/// What is written beside the points of a run.
pub struct Finished<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What came of it.
    pub outcome: &'a Outcome,
    /// The command line of the run.
    pub command: String,
}

/// Writes everything that follows from the finished points into `out`; BD-rate tables come back for
/// the terminal.
pub fn write_results(out: &Path, finished: &Finished) -> Result<String> {
    let (plan, outcome) = (finished.plan, finished.outcome);
    let rows: Vec<&Row> = outcome.points.iter().map(|p| &p.row).collect();
    let (metrics, method) = (plan.metrics()?, plan.method()?);
    write_whole(
        &out.join("results.csv"),
        csv(rows.iter().copied())?.as_bytes(),
    )?;
    compressai::write(out, &rows)?;
    let sequences: Vec<SequenceInfo> = outcome
        .sequences
        .iter()
        .zip(&outcome.pictures)
        .map(|(s, (frame, picture))| SequenceInfo {
            name: s.name.clone(),
            width: s.info.width,
            height: s.info.height,
            frames: s.frames,
            picture: picture
                .as_ref()
                .and_then(|p| p.strip_prefix(out).ok())
                .map(Path::to_path_buf),
            picture_frame: *frame,
        })
        .collect();
    let input = ReportInput {
        title: plan.title.clone(),
        description: &plan.description,
        // the day in UTC, as 2026-01-31
        date: OffsetDateTime::now_utc().date().to_string(),
        machine: machine(),
        command: finished.command.clone(),
        remarks: &remarks(outcome),
        points: &outcome.points,
        sequences: &sequences,
        anchor: &plan.anchor,
        metrics: &metrics,
        method,
        published: true,
        picture_budget: PICTURE_BUDGET,
    };
    write_report(out, &input)?;
    let mut text = String::new();
    if rows.iter().any(|r| r.curve() == plan.anchor) {
        for metric in &metrics {
            text += &BdTable::new(&rows, &plan.anchor, *metric, method)?.markdown();
            text.push('\n');
        }
    } else {
        text += &format!(
            "No BD-rates: there is no curve '{}' to take them against.\n\n",
            plan.anchor
        );
    }
    let head = head(finished, &input);
    write_whole(
        &out.join("results.md"),
        format!("{head}{text}{}", tables::points(&rows)).as_bytes(),
    )?;
    Ok(text)
}

/// What is missing in the results, and why.
fn remarks(outcome: &Outcome) -> Vec<String> {
    let missing = outcome
        .missing
        .iter()
        .map(|(codec, why)| format!("left out: {codec}: {why}"));
    missing
        .chain(
            outcome
                .failed
                .iter()
                .map(|(label, e)| format!("failed: {label}: {e}")),
        )
        .collect()
}

/// Heading of `results.md`: what was run on what.
fn head(f: &Finished, input: &ReportInput) -> String {
    let mut text = format!("# {}\n\n", f.plan.title);
    if !f.plan.description.is_empty() {
        text += &format!("{}\n\n", f.plan.description.trim());
    }
    text += &format!(
        "`{}`, {}, {}.\n\n",
        input.command, input.date, input.machine
    );
    for s in &f.outcome.sequences {
        text += &format!(
            "- {}: {}, {}x{}, {}\n",
            s.name,
            s.origin,
            s.info.width,
            s.info.height,
            datasets::frames(s.frames)
        );
    }
    for remark in input.remarks {
        text += &format!("- {remark}\n");
    }
    text + "\n"
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

/// Reads back what `csv` wrote.
pub fn read_csv(path: &Path) -> Result<Vec<Row>> {
    let fault = |e: csv::Error| Error::Parameter(format!("{}: {e}", path.display()));
    csv::Reader::from_path(path)
        .map_err(fault)?
        .deserialize()
        .collect::<std::result::Result<_, _>>()
        .map_err(fault)
}

/// The processor and the system, for the report.
pub fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|l| {
        l.strip_prefix("model name")?
            .split_once(':')
            .map(|(_, m)| m.trim().to_string())
    });
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

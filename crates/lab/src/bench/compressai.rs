//! Results in the JSON that CompressAI's plots read (`compressai.utils.plot` and
//! `compressai.utils.video.plot`): an object with `name`, `description` and `results`, the last an
//! object of equally long lists.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::curves::{AVERAGE, averages, curves, sequences};
use super::metric::Metric;
use super::names::FileNames;
use super::row::Row;
use crate::files::{make_folder, write_whole};
use ::nvc::error::Result;

/// Writes `<dir>/compressai/<curve>__<sequence>.json` for every curve on every sequence, and
/// `<curve>__average.json` for every curve that has the same points on each of several sequences.
/// Gives the files back.
pub fn write(dir: &Path, rows: &[&Row]) -> Result<Vec<PathBuf>> {
    let folder = dir.join("compressai");
    make_folder(&folder)?;
    let (mean, _) = averages(rows);
    let mean: Vec<&Row> = mean.iter().collect();
    let all = sequences(rows);
    let mut names = FileNames::default();
    let mut written = Vec::new();
    let mut write = |curve: &str, sequence: &str, rows: &[&Row], over: &str| -> Result<()> {
        let path = folder.join(names.make(&format!("{curve}__{sequence}"), "json"));
        let text =
            serde_json::to_string_pretty(&object(curve, rows, over)).unwrap_or_default() + "\n";
        write_whole(&path, text.as_bytes())?;
        written.push(path);
        Ok(())
    };
    for curve in curves(rows) {
        for sequence in &all {
            let rows = curve.on(sequence);
            if !rows.is_empty() {
                write(&curve.name, sequence, &rows, sequence)?;
            }
        }
    }
    for curve in curves(&mean) {
        write(
            &curve.name,
            AVERAGE,
            &curve.on(AVERAGE),
            &format!("mean over {}", all.join(", ")),
        )?;
    }
    Ok(written)
}

/// The object of one curve on one sequence. A list is left out where a point lacks its figure.
fn object(name: &str, rows: &[&Row], over: &str) -> Value {
    let mut results = Map::new();
    let mut list = |key: &str, f: &dyn Fn(&Row) -> Option<f64>| {
        if let Some(values) = rows
            .iter()
            .map(|r| f(r).filter(|v| v.is_finite()))
            .collect::<Option<Vec<f64>>>()
        {
            results.insert(key.into(), json!(values));
        }
    };
    list("bpp", &|r| Some(r.bpp));
    list("bitrate", &|r| r.kbps);
    list("psnr-rgb", &|r| Metric::PsnrRgb.of(r));
    // CompressAI weighs the planes 4:1:1
    list("psnr-yuv", &|r| {
        Some((4.0 * r.psnr_y? + r.psnr_u? + r.psnr_v?) / 6.0)
    });
    list("psnr-y", &|r| r.psnr_y);
    list("psnr-u", &|r| r.psnr_u);
    list("psnr-v", &|r| r.psnr_v);
    list("ms-ssim-y", &|r| r.ms_ssim_y);
    list("vmaf", &|r| r.vmaf);
    list("xpsnr", &|r| r.xpsnr);
    list("encoding_time", &|r| Some(r.enc_s));
    list("decoding_time", &|r| Some(r.dec_s));
    let labels: Vec<&str> = rows.iter().map(|r| r.point.as_str()).collect();
    let version = rows.first().map_or("", |r| r.version.as_str());
    let text = format!(
        "{name} on {over}; points {}; times in seconds a sequence; {version}",
        labels.join(", ")
    );
    json!({"name": name, "description": text.trim_end_matches([' ', ';']), "results": results})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sequence: &str, point: &str, bpp: f64) -> Row {
        Row {
            codec: "x265".into(),
            config: "medium".into(),
            version: "x265 4.1".into(),
            sequence: sequence.into(),
            point: point.into(),
            bpp,
            kbps: Some(1000.0 * bpp),
            psnr_y: Some(36.0),
            psnr_u: Some(40.0),
            psnr_v: Some(41.0),
            psnr_rgb: Some(34.0 + bpp),
            ms_ssim_y: (bpp < 0.2).then_some(0.97),
            enc_s: 3.0,
            dec_s: 0.5,
            ..Row::default()
        }
    }

    #[test]
    fn files_have_the_keys_that_compressai_reads() {
        let dir = tempfile::tempdir().unwrap();
        let rows = [
            row("a/b", "crf=20", 0.2),
            row("a/b", "crf=30", 0.1),
            row("c", "crf=20", 0.4),
            row("c", "crf=30", 0.1),
        ];
        let written = write(dir.path(), &rows.iter().collect::<Vec<_>>()).unwrap();
        let names: Vec<_> = written
            .iter()
            .map(|p| {
                p.strip_prefix(dir.path().join("compressai"))
                    .unwrap()
                    .to_str()
                    .unwrap()
            })
            .collect();
        assert_eq!(
            names,
            [
                "x265-medium__a-b.json",
                "x265-medium__c.json",
                "x265-medium__average.json"
            ]
        );
        let read = |n: usize| -> Value {
            serde_json::from_slice(&std::fs::read(&written[n]).unwrap()).unwrap()
        };
        let j = read(0);
        assert_eq!(j["name"], "x265 medium");
        assert_eq!(
            j["description"],
            "x265 medium on a/b; points crf=30, crf=20; times in seconds a sequence; x265 4.1"
        );
        let r = &j["results"];
        assert_eq!(r["bpp"], json!([0.1, 0.2]));
        assert_eq!(r["bitrate"], json!([100.0, 200.0]));
        assert_eq!(r["psnr-rgb"], json!([34.1, 34.2]));
        assert_eq!(r["psnr-yuv"], json!([37.5, 37.5]));
        assert_eq!(
            (&r["encoding_time"], &r["decoding_time"]),
            (&json!([3.0, 3.0]), &json!([0.5, 0.5]))
        );
        // not on every point
        assert!(r.get("ms-ssim-y").is_none() && r.get("vmaf").is_none());
        let lengths: Vec<usize> = r
            .as_object()
            .unwrap()
            .values()
            .map(|v| v.as_array().unwrap().len())
            .collect();
        assert!(lengths.iter().all(|&l| l == 2));
        let bpp: Vec<f64> = serde_json::from_value(read(2)["results"]["bpp"].clone()).unwrap();
        assert!((bpp[0] - 0.1).abs() < 1e-12 && (bpp[1] - 0.3).abs() < 1e-12);
        assert!(write(dir.path(), &[]).unwrap().is_empty());
    }
}

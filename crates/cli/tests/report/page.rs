//! The sample as a page in a browser, and what tests ask of it.

use std::path::Path;

use serde_json::json;

use crate::webdriver::Browser;
use crate::{sample, support};
use nvc::metrics::bd_rate::Method;
use nvc_lab::bench::report::{PICTURE_BUDGET, ReportInput, write_report};
use nvc_lab::bench::{Metric, Row, compressai};

/// Writes the sample's report to target/report-test.
pub fn write() -> (std::path::PathBuf, sample::Sample) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/report-test");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let sample = sample::make(&dir);
    let input = ReportInput {
        title: "Sample <of> a report & its parts".into(),
        description: "What <b>was</b> chosen.",
        date: "2026-01-31".into(),
        machine: "no machine: synthetic figures".into(),
        command: "nvc bench sample.toml -o 'a b'".into(),
        remarks: &["left out: vvenc: no ffmpeg has it".into()],
        points: &sample.points,
        sequences: &sample.sequences,
        anchor: sample::ANCHOR,
        metrics: &[
            Metric::PsnrRgb,
            Metric::PsnrY,
            Metric::MsSsimY,
            Metric::Vmaf,
        ],
        method: Method::Pchip,
        published: true,
        picture_budget: PICTURE_BUDGET,
    };
    write_report(&dir, &input).unwrap();
    let rows: Vec<&Row> = sample.points.iter().map(|p| &p.row).collect();
    compressai::write(&dir, &rows).unwrap();
    (dir, sample)
}

pub fn browser() -> Option<Browser> {
    match Browser::start() {
        Ok(b) => Some(b),
        Err(why) => {
            support::skipped(&why);
            None
        }
    }
}

pub fn texts(b: &Browser, selector: &str) -> Vec<String> {
    let all = b.run(&format!(
        "return [...document.querySelectorAll('{selector}')].map(e => e.textContent)"
    ));
    all.as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap().to_string())
        .collect()
}

pub fn set(b: &Browser, id: &str, value: &str) {
    b.run(&format!(
        "const e = document.getElementById('{id}'); e.value = '{value}'; e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change'))"
    ));
}

/// Red, green, blue at places of the canvas, as parts of its width and height.
pub fn pixels(b: &Browser, places: &[(f64, f64)]) -> Vec<[u8; 3]> {
    let list = json!(places);
    let values = b.run(&format!(
        "const c = document.getElementById('canvas'), x = c.getContext('2d');
         return {list}.map(([u, v]) => [...x.getImageData(Math.floor(u * c.width), Math.floor(v * c.height), 1, 1).data].slice(0, 3))"
    ));
    serde_json::from_value(values).unwrap()
}

pub fn file(b: &Browser, path: &Path) {
    use image::EncodableLayout;
    let text = b.screenshot();
    let digit = |c: u8| {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            .iter()
            .position(|d| *d == c)
            .unwrap_or(0) as u32
    };
    let mut bytes = Vec::new();
    for four in text.as_bytes().chunks(4) {
        let bits = four.iter().fold(0, |v, &c| v << 6 | digit(c));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    std::fs::write(path, &bytes).unwrap();
    let image = image::load_from_memory(&bytes).unwrap().to_rgb8();
    assert!(image.width() > 360 && image.height() > 1000);
    // not blank
    assert!(image.as_bytes().iter().any(|v| *v != image.as_bytes()[0]));
}

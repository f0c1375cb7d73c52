mod pictures;
mod published;
mod svg;

use askama::filters::Escaper;
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::content::Content;
use super::escape::Html;
use super::*;
use crate::bench::published::uvg;
use crate::bench::{Bytes, Metric, Point, Progress, Row};
use ::nvc::metrics::bd_rate::Method;

fn points(codec: &str, sequence: &str, gain: f64) -> Vec<Point> {
    let point = |(n, bpp): (usize, f64)| Point {
        row: Row {
            codec: codec.into(),
            point: format!("p{n}"),
            sequence: sequence.into(),
            frames: 10,
            width: 64,
            height: 48,
            bpp,
            psnr_rgb: Some(40.0 + gain + 10.0 * bpp.log10()),
            enc_s: 1.0 + n as f64,
            dec_s: 0.5,
            ..Row::default()
        },
        ..Point::default()
    };
    [0.1, 0.2, 0.4].into_iter().enumerate().map(point).collect()
}

fn input<'a>(points: &'a [Point], sequences: &'a [SequenceInfo]) -> ReportInput<'a> {
    ReportInput {
        title: "A title".into(),
        description: "",
        date: String::new(),
        machine: String::new(),
        command: String::new(),
        remarks: &[],
        points,
        sequences,
        anchor: "x265",
        metrics: &Metric::ALL,
        method: Method::Pchip,
        published: false,
        picture_budget: PICTURE_BUDGET,
    }
}

/// The page, and the names of the plots.
fn written(input: &ReportInput) -> (String, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    write_report(dir.path(), input).unwrap();
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    let plots = std::fs::read_dir(dir.path().join("plots")).map(|d| {
        d.map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect()
    });
    let mut plots: Vec<String> = plots.unwrap_or_default();
    plots.sort();
    // nothing is left to replace, and one script element each holds data and code
    assert!(
        !page.contains("{{")
            && page.matches("</script>").count() == 2
            && page.matches("<script").count() == 2
    );
    (page, plots)
}

fn data_of(page: &str) -> serde_json::Value {
    let json = page
        .split("id=\"data\">")
        .nth(1)
        .unwrap()
        .split("</script>")
        .next()
        .unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn no_points_and_one_point_make_a_report() {
    let (page, plots) = written(&input(&[], &[]));
    assert!(
        page.contains("There are no points")
            && page.contains("No point has a figure")
            && plots.is_empty()
    );
    assert_eq!(data_of(&page)["views"], serde_json::json!([]));

    let one = &points("x265", "s1", 0.0)[..1];
    let (page, plots) = written(&input(one, &[]));
    assert_eq!(plots, ["s1__psnr_rgb.svg"]);
    assert!(page.contains("x265 has 1 distinct point, 3 are needed"));
    assert!(page.contains("10 frames of 64x48."));

    let mut blind = one.to_vec();
    blind[0].row.psnr_rgb = None;
    let (page, plots) = written(&input(&blind, &[]));
    assert!(
        page.contains("No point has a figure")
            && page.contains("id=\"point-table\"")
            && plots.is_empty()
    );
}

#[test]
fn figures_that_are_not_finite_are_left_out() {
    let mut p = points("x265", "s1", 0.0);
    p[0].row.ms_ssim_y = Some(1.0);
    p[1].row.psnr_rgb = Some(f64::NAN);
    p[2].row.enc_s = f64::INFINITY;
    let (page, plots) = written(&input(&p, &[]));
    assert_eq!(plots, ["s1__psnr_rgb.svg"]);
    let d = data_of(&page);
    assert_eq!(
        d["views"][0]["points"][0]["q"]["ms_ssim_y"],
        serde_json::Value::Null
    );
    assert_eq!(
        d["views"][0]["points"][1]["q"]["psnr_rgb"],
        serde_json::Value::Null
    );
    assert!(page.contains("must be finite"));
}

#[test]
fn an_anchor_that_is_not_there_is_said() {
    let p = points("x264", "s1", 0.0);
    let (page, _) = written(&input(&p, &[]));
    assert!(page.contains("no curve is named &#39;x265&#39; to compare against; there are: x264"));
}

#[test]
fn averages_are_drawn_over_several_sequences() {
    let mut p = [
        points("x265", "s1", 0.0),
        points("x265", "s2", 2.0),
        points("nvc", "s2", 1.0),
    ]
    .concat();
    p[0].parts = Some(Bytes {
        header: 10,
        weights: 20,
        latents: 30,
    });
    p[0].progress = vec![
        Progress {
            seconds: 0.5,
            psnr: 29.0,
        },
        Progress {
            seconds: 0.9,
            psnr: 30.0,
        },
    ];
    let (page, plots) = written(&input(&p, &[]));
    assert_eq!(
        plots,
        [
            "average__psnr_rgb.svg",
            "s1__psnr_rgb.svg",
            "s2__psnr_rgb.svg"
        ]
    );
    let d = data_of(&page);
    assert_eq!(d["views"][2]["label"], "average of 2");
    assert!(
        d["views"][2]["note"]
            .as_str()
            .unwrap()
            .contains("Without nvc")
    );
    assert_eq!(d["views"][2]["points"].as_array().unwrap().len(), 3);
    assert!(
        (d["views"][2]["points"][0]["q"]["psnr_rgb"][0]
            .as_f64()
            .unwrap()
            - 31.0)
            .abs()
            < 1e-9
    );
    assert_eq!(
        d["views"][0]["points"][0]["progress"],
        serde_json::json!([[0.5, 29.0], [0.9, 30.0]])
    );
    assert!(page.contains("60 B = header 10 B + weights 20 B + latents 30 B"));
    assert!(page.contains("<div data-view=\"0\">") && !page.contains("<div data-view=\"1\">"));
}

#[test]
fn nothing_in_the_data_is_read_as_markup() {
    let evil = "</script><img src=x onerror=alert(1)>\"'&\u{0}";
    let mut p = points(evil, evil, 0.0);
    for p in &mut p {
        p.row.command = evil.into();
        p.row.note = evil.into();
        p.row.version = evil.into();
        p.row.point = evil.into();
        p.picture = Some(evil.into());
        p.parts = Some(Bytes {
            header: 1,
            weights: 1,
            latents: 1,
        });
    }
    let info = SequenceInfo {
        name: evil.into(),
        picture: Some(evil.into()),
        ..SequenceInfo::default()
    };
    let sequences = [info];
    let mut i = input(&p, &sequences);
    let remarks = [evil.to_string()];
    (i.description, i.remarks) = (evil, &remarks);
    (i.title, i.date, i.machine, i.command, i.anchor) =
        (evil.into(), evil.into(), evil.into(), evil.into(), evil);
    let (page, plots) = written(&i);
    assert!(!page.contains("<img src=x"));
    assert_eq!(data_of(&page)["views"][0]["name"], evil);
    assert_eq!(plots.len(), 1);
}

#[test]
fn description_and_remarks_stand_before_all_else() {
    let p = points("x265", "s1", 0.0);
    let remarks = [
        "left out: vvenc: no ffmpeg has <it>".to_string(),
        "failed: s1 x264 crf=20".into(),
    ];
    let (page, _) = written(&ReportInput {
        description: " Why & what. ",
        remarks: &remarks,
        ..input(&p, &[])
    });
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text}"));
    assert!(at("<h1>") < at("<p class=\"description\">Why &amp; what.</p>"));
    assert!(
        at("<li>left out: vvenc: no ffmpeg has &lt;it&gt;</li>")
            < at("<li>failed: s1 x264 crf=20</li>")
    );
    assert!(at("failed: s1") < at("<nav") && at("Why &amp;") < at("left out"));
    let (page, _) = written(&input(&p, &[]));
    assert!(!page.contains("class=\"description\"") && !page.contains("class=\"remarks\""));
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let e = write_report(&dir.path().join("none"), &input(&[], &[]))
        .unwrap_err()
        .to_string();
    assert!(e.contains("report.html"), "{e}");
}

#[test]
fn text_is_escaped() {
    let mut out = String::new();
    Html.write_escaped_str(&mut out, "<a b=\"c\">'&\u{0}")
        .unwrap();
    assert_eq!(out, "&lt;a b=&quot;c&quot;&gt;&#39;&amp;\u{fffd}");
}

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
fn published_curves_stand_with_their_sequence_or_alone() {
    let p = points("x265", "uvg/Jockey", 0.0);
    let mut i = input(&p, &[]);
    i.published = true;
    let (page, plots) = written(&i);
    let d = data_of(&page);
    assert_eq!(d["views"][0]["published"], "Jockey");
    assert!(
        d["views"][0]["note"]
            .as_str()
            .unwrap()
            .contains("do not compare with the points measured here. Those are of 600 frames of 1920x1080, 1920x960.")
    );
    assert_eq!(
        (
            &d["views"][1]["published"],
            d["views"].as_array().unwrap().len()
        ),
        (&"average".into(), 2)
    );
    assert_eq!(
        plots,
        ["UVG-average__psnr_rgb.svg", "uvg-Jockey__psnr_rgb.svg"]
    );
    let svg = |p: &[Point]| {
        plots::svg(
            "",
            "",
            Content::new(&ReportInput {
                published: true,
                ..input(p, &[])
            })
            .lines(0, Metric::PsnrRgb),
        )
        .unwrap()
        .unwrap()
    };
    assert!(!svg(&p).contains("published"));
    let mut whole = p.clone();
    whole
        .iter_mut()
        .for_each(|p| (p.row.frames, p.row.width, p.row.height) = (600, 1920, 1080));
    assert!(svg(&whole).contains("HiNeRV, published") && !svg(&whole).contains("1920x960"));
    // of the crop, those of the crop; of other sizes or fewer frames, none
    let mut cropped = whole.clone();
    cropped.iter_mut().for_each(|p| p.row.height = 960);
    assert!(
        svg(&cropped).contains("HNeRV (authors, 1920x960), published")
            && !svg(&cropped).contains("HiNeRV")
    );
    for (frames, height) in [(599, 960), (599, 1080), (600, 1024)] {
        let mut other = whole.clone();
        other
            .iter_mut()
            .for_each(|p| (p.row.frames, p.row.height) = (frames, height));
        assert!(
            !svg(&other).contains("published"),
            "{frames} frames of {height} rows"
        );
    }
    assert!(
        page.contains("id=\"published\"")
            && page.contains("https://github.com/google-deepmind/c3_neural_compression")
    );

    // all seven sequences: their average is compared with the published one
    let p: Vec<Point> = uvg()
        .frames
        .keys()
        .flat_map(|s| points("x265", s, 0.0))
        .collect();
    let mut i = input(&p, &[]);
    i.published = true;
    let d = data_of(&written(&i).0);
    let views = d["views"].as_array().unwrap();
    assert_eq!(
        (views.len(), &views[7]["name"], &views[7]["published"]),
        (8, &"average".into(), &"average".into())
    );
    // without the metric of the published points they still are shown alone
    let mut i = input(&[], &[]);
    i.published = true;
    let (page, plots) = written(&i);
    assert_eq!(
        (data_of(&page)["metrics"][0]["key"].as_str().unwrap(), plots),
        ("psnr_rgb", vec!["UVG-average__psnr_rgb.svg".to_string()])
    );
}

#[test]
fn every_published_curve_is_marked_where_it_does_not_compare() {
    let all: Vec<(&str, u64)> = uvg()
        .frames
        .iter()
        .map(|(name, frames)| (name.as_str(), *frames))
        .collect();
    let measured = |height: usize| -> Vec<Point> {
        let of = |(name, frames): &(&str, u64)| {
            let mut p = points("x265", name, 0.0);
            p.iter_mut()
                .for_each(|p| (p.row.frames, p.row.width, p.row.height) = (*frames, 1920, height));
            p
        };
        all.iter().flat_map(of).collect()
    };
    for (height, said) in [
        (
            1080,
            "Those marked as not comparable are of other pictures (1920x960",
        ),
        (
            960,
            "Those marked as not comparable are of other pictures (1920x1080",
        ),
        (1024, "they do not compare with the points measured here."),
    ] {
        let p = measured(height);
        let (page, plots) = written(&ReportInput {
            published: true,
            ..input(&p, &[])
        });
        let d = data_of(&page);
        assert_eq!((d["views"].as_array().unwrap().len(), plots.len()), (8, 8));
        for view in d["views"].as_array().unwrap() {
            assert!(
                view["note"].as_str().unwrap().contains(said),
                "{}",
                view["note"]
            );
            let apart: Vec<usize> = serde_json::from_value(view["apart"].clone()).unwrap();
            for (n, c) in uvg().curves.iter().enumerate() {
                assert_eq!(
                    apart.contains(&n),
                    c.size != Some((1920, height)),
                    "{height}: {}",
                    c.name
                );
            }
        }
    }
    // one sequence of another size, and the average compares with nothing
    let mut p = measured(1080);
    p.iter_mut().take(3).for_each(|p| p.row.height = 960);
    let d = data_of(
        &written(&ReportInput {
            published: true,
            ..input(&p, &[])
        })
        .0,
    );
    assert_eq!(
        d["views"][7]["apart"].as_array().unwrap().len(),
        uvg().curves.len()
    );
    assert!(
        d["views"][7]["note"]
            .as_str()
            .unwrap()
            .contains("do not compare")
            && d["views"][1]["apart"].as_array().unwrap().len() < 20
    );
    // alone there is nothing to compare with
    let d = data_of(
        &written(&ReportInput {
            published: true,
            ..input(&[], &[])
        })
        .0,
    );
    assert_eq!(d["views"][0]["apart"], serde_json::json!([]));
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

/// A file that passes for a PNG, of so many bytes.
fn fake_png(dir: &Path, name: &str, bytes: usize) {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.resize(bytes, name.len() as u8);
    std::fs::write(dir.join(name), file).unwrap();
}

#[test]
fn pictures_are_chosen_evenly_within_their_budget() {
    let dir = tempfile::tempdir().unwrap();
    let (mut all, mut sequences) = (Vec::new(), Vec::new());
    for s in ["s1", "s2"] {
        let source = format!("{s}-source.png");
        fake_png(dir.path(), &source, 300);
        sequences.push(SequenceInfo {
            name: s.into(),
            picture: Some(source.into()),
            ..SequenceInfo::default()
        });
        for codec in ["x265", "nvc"] {
            // largest file first, as a plan may have it
            let mut curve = points(codec, s, 0.0);
            curve.reverse();
            for p in &mut curve {
                let name = format!("{s}-{codec}-{}.png", p.row.point);
                fake_png(dir.path(), &name, 300);
                p.picture = Some(name);
            }
            all.extend(curve);
        }
    }
    let embedded = |pictures: u64| {
        let i = ReportInput {
            picture_budget: pictures * 400,
            ..input(&all, &sequences)
        };
        write_report(dir.path(), &i).unwrap();
        let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
        let d = data_of(&page);
        let name = |p: &serde_json::Value| {
            let label = p["label"].as_str().unwrap();
            format!(
                "s{} {}",
                p["view"].as_u64().unwrap() + 1,
                label.split([':', ',']).next().unwrap()
            )
        };
        let names: Vec<String> = d["pictures"].as_array().unwrap().iter().map(name).collect();
        assert_eq!(page.matches("data:image/png;base64,").count(), names.len());
        assert_eq!(names.len() as u64, pictures.min(14));
        if pictures < 14 {
            assert!(
                page.contains(&format!(
                    "{} of 14 pictures are not in this file",
                    14 - pictures
                )),
                "{pictures}"
            );
            assert_eq!(
                page.split("<ul class=\"beside\">")
                    .nth(1)
                    .unwrap()
                    .split("</ul>")
                    .next()
                    .unwrap()
                    .matches("<li>")
                    .count() as u64,
                14 - pictures
            );
        } else {
            assert!(!page.contains("not in this file"));
        }
        names
    };
    assert_eq!(embedded(0), [""; 0]);
    assert_eq!(embedded(1), ["s1 source"]);
    assert_eq!(embedded(3), ["s1 source", "s1 x265 p1", "s2 source"]);
    assert_eq!(
        embedded(6),
        [
            "s1 source",
            "s1 x265 p1",
            "s1 nvc p1",
            "s2 source",
            "s2 x265 p1",
            "s2 nvc p1"
        ]
    );
    let eight = embedded(8);
    assert_eq!(eight.iter().filter(|n| n.starts_with("s1")).count(), 4);
    assert_eq!(embedded(14).len(), embedded(99).len());
    // one that is too large leaves room for those that are not
    fake_png(dir.path(), "s1-source.png", 100_000);
    let i = ReportInput {
        picture_budget: 400,
        ..input(&all, &sequences)
    };
    write_report(dir.path(), &i).unwrap();
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert_eq!(data_of(&page)["pictures"][0]["view"], 1);
    assert!(
        page.contains("<code>s1-source.png</code>") && page.contains("below 400 B of pictures")
    );
}

#[test]
fn pictures_are_embedded_once_and_missing_ones_said() {
    let dir = tempfile::tempdir().unwrap();
    let png = |v: u8| {
        let mut out = std::io::Cursor::new(Vec::new());
        image::RgbImage::from_pixel(3, 2, image::Rgb([v, 0, 0]))
            .write_to(&mut out, image::ImageFormat::Png)
            .unwrap();
        out.into_inner()
    };
    std::fs::write(dir.path().join("source.png"), png(1)).unwrap();
    std::fs::write(dir.path().join("a.png"), png(2)).unwrap();
    std::fs::write(dir.path().join("b.png"), "text").unwrap();
    let mut p = points("x265", "s1", 0.0);
    for (p, name) in p.iter_mut().zip(["a.png", "b.png", "c.png"]) {
        p.picture = Some(name.into());
    }
    let sequences = [SequenceInfo {
        name: "s1".into(),
        picture: Some("source.png".into()),
        picture_frame: 4,
        ..SequenceInfo::default()
    }];
    write_report(dir.path(), &input(&p, &sequences)).unwrap();
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert_eq!(page.matches("data:image/png;base64,").count(), 2);
    for v in [1, 2] {
        assert_eq!(page.matches(&BASE64_STANDARD.encode(png(v))).count(), 1);
    }
    let pictures = data_of(&page)["pictures"].clone();
    assert_eq!(
        pictures[0],
        serde_json::json!({"id": 0, "view": 0, "label": "source, frame 4"})
    );
    assert_eq!(pictures[1]["label"], "x265 p0: 0.1000 bpp, PSNR RGB 30.00");
    assert!(
        page.contains(
            "The picture b.png (s1, x265 p1: 0.2000 bpp, PSNR RGB 33.01) is no PNG file."
        )
    );
    assert!(
        page.contains(
            "The picture c.png (s1, x265 p2: 0.4000 bpp, PSNR RGB 36.02) could not be read"
        )
    );
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
fn svg_files_are_escaped_white_and_without_empty_curves() {
    let line = |name: &str, points: &[(f64, f64)], published| plots::Line {
        name: name.into(),
        style: 3,
        published,
        points: points.to_vec(),
    };
    assert_eq!(
        plots::svg(
            "t",
            "y",
            vec![line(
                "a",
                &[(0.0, 1.0), (f64::NAN, 2.0), (1.0, f64::INFINITY)],
                false
            )]
        )
        .unwrap(),
        None
    );
    let svg = plots::svg(
        "<t>&",
        "y",
        vec![
            line("a<b", &[(0.1, 30.0), (2.0, 40.0)], false),
            line("c", &[(0.2, 33.0)], true),
        ],
    )
    .unwrap()
    .unwrap();
    assert!(
        svg.starts_with("<svg")
            && svg.contains("a&lt;b")
            && svg.contains("&lt;t&gt;&amp;")
            && !svg.contains("<t>"),
        "{svg}"
    );
    assert!(svg.contains("#FFFFFF") && !svg.contains("http://www.w3.org/1999/xhtml"));
    // a marker a point and one in the legend for each line
    assert_eq!(svg.matches("<polygon").count(), 3 + 2);
    let alone = plots::svg("t", "y", vec![line("a", &[(0.1, 30.0)], false)])
        .unwrap()
        .unwrap();
    assert_eq!(alone.matches("<polygon").count(), 2);
    assert!(!svg.contains("NaN") && !alone.contains("NaN"));
}

#[test]
fn text_is_escaped() {
    let mut out = String::new();
    Html.write_escaped_str(&mut out, "<a b=\"c\">'&\u{0}")
        .unwrap();
    assert_eq!(out, "&lt;a b=&quot;c&quot;&gt;&#39;&amp;\u{fffd}");
}
